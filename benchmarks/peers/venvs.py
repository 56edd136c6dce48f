"""A virtual environment for each peer, kept in the user's cache: what this interpreter has, and beside it the peer.

Nothing is installed into the environment that runs. The peer's sees its packages through a path file, after its own, so
torch and the codecs are not installed again and pixels cost the same everywhere; pip may not take others of these.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from kernels.cpu.machine import users_cache

_SAME = ("torch", "torchvision", "numpy", "numba", "opencv-python-headless", "simplejpeg", "pillow", "kornia", "pydantic")
"""Packages that pixels depend on: the versions that run here, or none."""
_PATIENCE_S = 600.0


class NotInstalled(Exception):
    """A peer cannot be installed here; the message says why."""


def python_for(requirements: Sequence[str], name: str, cache: Path | None = None) -> Path:
    """The interpreter of the environment that has these beside ours; made where it is missing. Errors: NotInstalled.

    cache: the folder that environments are kept in; a folder of the user's cache if not given.
    """
    seen, same = sysconfig.get_path("purelib"), [f"{package}=={version(package)}" for package in _SAME]
    facts = "\n".join((*requirements, *same, sys.version, seen))
    folder = (cache or users_cache() / "peers") / f"{name}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
    python, made = folder / "bin" / "python", folder / "made"
    try:
        with _alone(folder):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                venv.EnvBuilder(symlinks=True).create(folder)
                (own,) = folder.glob("lib/python*/site-packages")
                (own / "beside.pth").write_text(f"{seen}\n")
                if requirements:
                    _install(python, requirements, folder / "same.txt", same)
                made.touch()
    except OSError as error:
        raise NotInstalled(f"{folder}: {error.strerror}") from error
    return python


def versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The versions of these packages as that interpreter sees them."""
    script = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([python, "-c", script, *packages], capture_output=True, text=True, check=True)  # noqa: S603  # ours
    return dict(zip(packages, done.stdout.split(), strict=True))


def _install(python: Path, requirements: Sequence[str], constraints: Path, same: Sequence[str]) -> None:
    constraints.write_text("\n".join(same) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-input"]
    command = [*pip, "--constraint", str(constraints), *requirements]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)  # noqa: S603  # pip, our words
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip took longer than {_PATIENCE_S:g} s") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        reason = next((line for line in said if line.startswith("ERROR")), said[-1] if said else "pip failed")
        raise NotInstalled(reason.removeprefix("ERROR: "))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While one process makes it, others wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
