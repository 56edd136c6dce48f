"""The machine: whether compiled kernels may run on it, and the folder that keeps their compiled form."""

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

_NEEDED = ("avx2", "fma")
_LIBRARIES = ("numba", "llvmlite", "numpy")


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


@cache
def key() -> str:
    """16 hex digits that change with the kernels' sources, the compiler and the kind of processor."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for source in sorted(root.rglob("*.py")):
        digest.update(f"\n{source.relative_to(root).as_posix()}\n".encode())
        digest.update(source.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"\n{library} {version(library)}".encode())
    digest.update(f"\n{sys.version_info} {sorted(cpu_flags())}".encode())
    return digest.hexdigest()[:16]


@contextmanager
def cache_folder(folder: Path | None = None) -> Iterator[Path]:
    """A folder for compiled kernels that no other process changes meanwhile: `folder`, or one under the user's cache.

    A temporary one that is not kept if neither can be written to: kernels are then compiled at every start.
    """
    for place in (folder, _user_cache()):
        if place is None:
            continue
        chosen = place / f"kernels-{key()}"
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


def _user_cache() -> Path | None:
    try:
        home = os.path.expanduser("~")
    except (KeyError, RuntimeError):
        return None
    return Path(os.environ.get("XDG_CACHE_HOME") or Path(home) / ".cache") / "image-augmentation-service"
