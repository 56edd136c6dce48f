"""The machine: whether compiled kernels may run on it, and where their compiled form is kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

_NEEDED = ("avx2", "fma")
_LIBRARIES = ("numba", "llvmlite", "numpy")
COMPILED_SOURCES = (
    "colors.py",
    "cpu",
    "matrices.py",
    "op.py",
    "ops",
    "params.py",
    "readings.py",
    "route.py",
    "shapes.py",
    "windows.py",
    "words.py",
)
"""Files and folders of `kernels` that compiled code is made from."""


@cache
def cpu_flags() -> frozenset[str]:
    """The processor's features by the names that Linux gives them; none where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def is_able() -> bool:
    """Whether the processor has the instructions that compiled kernels are promised for: without them bytes differ."""
    return platform.machine() == "x86_64" and cpu_flags().issuperset(_NEEDED)


@contextmanager
def compiling(folder: Path | None) -> Iterator[None]:
    """While numba compiles or loads: its cache in a folder that no other process changes, the processor used in full.

    folder: where the cache is kept, under a name that changes with all that decides its content. If None, or if it cannot
    be written to: numba's own cache folder if one is set, then the user's, then a temporary one that is not kept.
    """
    options = _numbas_options()
    with _cache_folder(folder, options["CACHE_DIR"]) as place:
        settings = {"CACHE_DIR": str(place), **_processor()}
        before = {name: options[name] for name in settings}
        options.update(settings)
        try:
            yield
        finally:
            options.update(before)


def _numbas_options() -> dict[str, Any]:
    """numba's settings, by the names of their environment variables; changing them here changes them there."""
    import numba

    return vars(numba.config)


def _processor() -> dict[str, str]:
    """What numba is told of the processor: to use the whole of its vectors, where LLVM would rather use half of them."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    if not features.get("avx512f"):
        return {}
    return {"CPU_NAME": binding.get_host_cpu_name(), "CPU_FEATURES": f"{features.flatten()},-prefer-256-bit"}


@contextmanager
def _cache_folder(folder: Path | None, numbas: str) -> Iterator[Path]:
    for place in (folder, Path(numbas) if numbas else None, users_cache()):
        if place is None:
            continue
        chosen = place / f"kernels-{_key()}"
        try:
            chosen.mkdir(parents=True, exist_ok=True)
            lock = (chosen / "lock").open("a")
        except OSError:
            continue
        with lock:
            # one process compiles, the others wait and read what it made: numba's index knows no two writers
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="kernels-") as temporary:
        yield Path(temporary)


def users_cache() -> Path:
    """The folder of this project in the user's cache; it need not exist."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "image-augmentation-service"


@cache
def _key() -> str:
    """16 hex digits that change with what is compiled, the compiler, its settings and the kind of processor."""
    options = _numbas_options()
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for source in sorted(source for place in COMPILED_SOURCES for source in _sources(root / place)):
        digest.update(f"\n{source.relative_to(root).as_posix()}\n".encode())
        digest.update(source.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"\n{library} {version(library)}".encode())
    settings = [str(options[name]) for name in ("BOUNDSCHECK", "OPT", "CPU_NAME", "CPU_FEATURES")]
    digest.update(f"\n{sys.version_info} {settings} {sorted(cpu_flags())}".encode())
    return digest.hexdigest()[:16]


def is_hashed(module: str) -> bool:
    """Whether a module's source is part of the cache's key."""
    return module.split(".")[1] in {place.removesuffix(".py") for place in COMPILED_SOURCES}


def _sources(place: Path) -> list[Path]:
    return list(place.rglob("*.py")) if place.is_dir() else [place]
