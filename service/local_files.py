"""Whole files of the local store: small ones at once, where nobody waits for the disk, others on a few threads of its own.

It does what obstore's local store does, in the same places, at a fraction of its cost for small files; and it can wait
for the disk before a file gets its name.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import re
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

UNFINISHED = re.compile(r"#\d+$")
"""How the names of files end that are being written, here and by obstore, which leaves them out of its listings."""
THREADS = 4
CREATE_TRIES = 100
NO_LINK = frozenset({errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})
"""A file system without second names, one that forbids them, or a file that has as many as it may."""
AT_ONCE_BYTES = 256 * 1024
"""Up to here copying to and from the system's memory takes less than handing the work to a thread and back."""
SLOW_S = 0.01
THREAD_SLOW_S = 0.05
SLOW_FOR_S = 10.0
"""Where we sleep for `SLOW_S` for a file at once, in the mean of the last few, the disk is busy or far away: for so long
the threads do everything. A thread that asks has more patience than a loop: it keeps nobody waiting, and others have its
core meanwhile."""
_FEW = 8
Value = TypeVar("Value")


class LocalFiles:
    """Files under a folder by key. Errors of every method: OSError, and ValueError for a key that leaves the folder."""

    def __init__(self, root: Path, *, fsync: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._fsync = str(root), fsync
        self._on_loop, self._on_thread = _Pace(SLOW_S, clock), _Pace(THREAD_SLOW_S, clock)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")
        self._numbers = itertools.count()

    async def get(self, key: str) -> bytes:
        """The bytes under `key`. FileNotFoundError."""
        content = self.get_at_once(key)
        return await self._off_loop(lambda: _read(self._path(key))) if content is None else content

    async def put(self, key: str, content: bytes) -> None:
        """Writes a file beside the place and renames it, so that nobody ever sees a part of it."""
        if not self.put_at_once(key, content):
            await self._off_loop(lambda: self._write(self._path(key), content))

    def get_at_once(self, key: str) -> bytes | None:
        """The bytes, if `get` would not have to wait for them. FileNotFoundError."""
        return self._read(key, self._on_loop, may_wait=False)

    def put_at_once(self, key: str, content: bytes) -> bool:
        """Writes a file, if `put` would not have to wait for that; False: it was not begun."""
        return self._written(key, content, self._on_loop)

    def read(self, key: str) -> bytes | None:
        """The bytes of a small file that the system has in memory; None: it is none. Any thread. FileNotFoundError."""
        return self._read(key, self._on_thread, may_wait=True)

    def write(self, key: str, content: bytes) -> bool:
        """Writes a small file as `put` does; False: that could take a while, so it was not begun. Any thread."""
        return self._written(key, content, self._on_thread)

    def _read(self, key: str, pace: _Pace, *, may_wait: bool) -> bytes | None:
        path = self._path(key)
        return None if pace.slow else pace.timed(lambda: _read_remembered(path, may_wait))

    def _written(self, key: str, content: bytes, pace: _Pace) -> bool:
        path = self._path(key)
        if self._fsync or len(content) > AT_ONCE_BYTES or pace.slow:
            return False
        pace.timed(lambda: self._write(path, content))
        return True

    async def copy(self, source: str, key: str) -> None:
        """Gives a file a second name, or makes a copy of it where the file system has no such thing. FileNotFoundError."""
        await self._off_loop(lambda: self._copy(self._path(source), self._path(key)))

    async def remove_unfinished(self, prefix: str, before_s: float) -> int:
        """Removes what writers began under a folder, and never came to rename, before that time; says how many."""
        return await self._off_loop(lambda: _remove_unfinished(self._root, self._path(prefix), before_s))

    async def _off_loop(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _path(self, key: str) -> str:
        if any(part in ("", ".", "..") for part in key.split("/")) or "\0" in key:
            raise ValueError(f"not an object key: {key!r}")
        return f"{self._root}/{key}"

    def _write(self, path: str, content: bytes) -> None:
        temporary = f"{path}#{os.getpid()}{next(self._numbers):06}"
        descriptor = _create(temporary)
        try:
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                if self._fsync:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        if self._fsync:
            self._sync_folders(path)

    def _copy(self, source: str, path: str) -> None:
        try:
            _link(source, path)
        except FileExistsError:
            return  # by the same attempt, with the same bytes: its key is no other's
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            self._write(path, _read(source))
            return
        if self._fsync:
            descriptor = os.open(path, os.O_RDONLY)  # it may have been written by a store that did not wait
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._sync_folders(path)

    def _sync_folders(self, path: str) -> None:
        """Makes the new name, and those of folders that were made for it, survive a power cut."""
        folder = os.path.dirname(path)
        while folder.startswith(self._root):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            folder = os.path.dirname(folder)


class _Pace:
    """Whether work on small files is done at once: not for a while after a few of them, or one of them, took too long."""

    def __init__(self, slow_s: float, clock: Callable[[], float]) -> None:
        self._slow_s, self._clock = slow_s, clock
        self._mean_s, self._slow_until_s = 0.0, float("-inf")

    @property
    def slow(self) -> bool:
        return self._clock() < self._slow_until_s

    def timed(self, work: Callable[[], Value]) -> Value:
        begun_s, slept = self._clock(), _sleeps()
        value = work()
        ended_s = self._clock()
        # a process that others kept from running has waited too, but not slept
        waited_s = ended_s - begun_s if _sleeps() > slept else 0.0
        self._mean_s += (waited_s - self._mean_s) / _FEW
        if self._mean_s > self._slow_s:
            self._mean_s, self._slow_until_s = 0.0, ended_s + SLOW_FOR_S
        return value


def _sleeps() -> int:
    """How often this thread has given up its turn to wait for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _create(path: str) -> int:
    """A new file, its folders made where they are missing, again where a removal takes an empty one away in between."""
    for _ in range(CREATE_TRIES):
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                os.makedirs(os.path.dirname(path), exist_ok=True)
    raise OSError(errno.EAGAIN, "its folder is removed again and again")


def _link(source: str, path: str) -> None:
    """A second name of a file, its folders made as `_create` does. Errors: FileNotFoundError where the source is gone."""
    for _ in range(CREATE_TRIES):
        try:
            os.link(source, path)
            return
        except FileNotFoundError:
            os.stat(source)
            with suppress(FileNotFoundError):
                os.makedirs(os.path.dirname(path), exist_ok=True)
    raise OSError(errno.EAGAIN, "its folder is removed again and again")


def _remove_unfinished(root: str, folder: str, before_s: float) -> int:
    removed = 0
    for place, _, names in os.walk(folder, topdown=False):
        for name in filter(UNFINISHED.search, names):
            path = os.path.join(place, name)
            with suppress(FileNotFoundError):  # its writer has just ended it
                if os.stat(path).st_mtime < before_s:
                    os.unlink(path)
                    removed += 1
                    _remove_empty(root, place)
    return removed


def _remove_empty(root: str, folder: str) -> None:
    with suppress(OSError):  # the first that is not empty
        while folder != root:
            os.rmdir(folder)
            folder = os.path.dirname(folder)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _read_remembered(path: str, may_wait: bool) -> bytes | None:
    """A small file that the system has in memory; None: it is not small, or the disk would have to be waited for.

    may_wait: whether to read all the same where the file system does not say that (one in memory does not).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        length = os.fstat(descriptor).st_size
        if length > AT_ONCE_BYTES:
            return None
        content = bytearray(length)
        try:
            read = os.preadv(descriptor, [content], 0, os.RWF_NOWAIT) if length else 0
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP and may_wait:
                read = os.preadv(descriptor, [content], 0)
            elif error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                return None
            else:
                raise
        return bytes(content) if read == length else None
    finally:
        os.close(descriptor)
