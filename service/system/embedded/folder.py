"""The folder that embedded servers live in: held by one process, with a private place for sockets."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.system.cannot_start import CannotStart

_SOCKET_NAME_BYTES = 107


class EmbeddedError(CannotStart):
    """An embedded server cannot run here; the message says why and what to do."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the folder for this process alone. Errors: EmbeddedError when another one has it, or it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise EmbeddedError(f"{folder} cannot be used as the data folder: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise EmbeddedError(f"{folder} is in use by another `augment up` (pid {lock.read().strip()})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def socket_folder(folder: Path) -> Path:
    """Where the sockets go: inside the folder when its path is short enough, else a private temporary folder."""
    inside = folder.resolve() / "run"
    if len(os.fsencode(inside / ".s.PGSQL.5432.lock")) <= _SOCKET_NAME_BYTES:
        inside.mkdir(mode=0o700, parents=True, exist_ok=True)
        return inside
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
    outside = Path(tempfile.gettempdir()).resolve() / f"augment-{os.getuid()}-{digest}"
    outside.mkdir(mode=0o700, exist_ok=True)
    found = outside.lstat()
    if not stat.S_ISDIR(found.st_mode) or stat.S_IMODE(found.st_mode) != 0o700 or found.st_uid != os.getuid() != 0:
        raise EmbeddedError(f"{outside} belongs to someone else: choose a data folder with a shorter path")
    return outside


def remove_socket_folder(folder: Path) -> None:
    """Removes the sockets with their folder."""
    shutil.rmtree(socket_folder(folder), ignore_errors=True)


def package_folder(name: str) -> Path | None:
    """Where a package is installed, found without importing it."""
    spec = importlib.util.find_spec(name)
    places = None if spec is None else spec.submodule_search_locations
    return Path(places[0]) if places else None
