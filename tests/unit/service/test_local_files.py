"""Files of the local store: small ones at once, and by the threads after the disk was waited for."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from service import local_files
from service.local_files import AT_ONCE_BYTES, SLOW_FOR_S, LocalFiles

SMALL, LARGE = b"small", bytes(AT_ONCE_BYTES + 1)


class Spied(LocalFiles):
    """Says which threads write."""

    def __init__(self, root: Path, *, fsync: bool, clock: list[float]) -> None:
        super().__init__(root, fsync=fsync, clock=lambda: clock[0])
        self.writers: list[bool] = []

    def _write(self, path: str, content: bytes) -> None:
        self.writers.append(threading.current_thread() is threading.main_thread())
        super()._write(path, content)


class Disk:
    """A file takes `took_s` on it, while who makes it sleeps, or waits for its turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, took_s: float, *, sleeps: bool = True) -> None:
        self.took_s, self.clock, self._slept = took_s, [0.0], 0
        create = local_files._create

        def slow(path: str) -> int:
            self.clock[0] += self.took_s
            self._slept += sleeps and self.took_s > 0
            return create(path)

        monkeypatch.setattr(local_files, "_create", slow)
        monkeypatch.setattr(local_files, "_sleeps", lambda: self._slept)


@pytest.mark.parametrize(
    ("content", "fsync", "at_once"), [(SMALL, False, True), (LARGE, False, False), (SMALL, True, False)]
)
async def test_only_small_files_that_nobody_waits_for_are_written_at_once(
    tmp_path: Path, content: bytes, fsync: bool, at_once: bool
) -> None:
    files = Spied(tmp_path, fsync=fsync, clock=[0.0])
    await files.put("a/b", content)
    assert files.writers == [at_once]
    assert await files.get("a/b") == content


async def test_a_disk_that_was_waited_for_is_left_to_the_threads_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, took_s=0.1)
    files = Spied(tmp_path, fsync=False, clock=disk.clock)
    await files.put("a", SMALL)
    disk.took_s = 0.0
    await files.put("b", SMALL)
    disk.clock[0] += SLOW_FOR_S
    await files.put("c", SMALL)
    assert files.writers == [True, False, True]
    assert [await files.get(key) for key in "abc"] == [SMALL] * 3


async def test_a_disk_that_was_waited_for_once_and_shortly_is_not_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, took_s=0.02)
    files = Spied(tmp_path, fsync=False, clock=disk.clock)
    await files.put("a", SMALL)
    disk.took_s = 0.0
    for number in range(10):
        await files.put(f"b{number}", SMALL)
    assert all(files.writers)
    disk.took_s = 0.02
    while all(files.writers):
        await files.put(f"c{len(files.writers)}", SMALL)
    assert 3 < len(files.writers) - 11 < 10  # but a few in a row are


async def test_a_process_that_others_kept_waiting_has_no_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Spied(tmp_path, fsync=False, clock=Disk(monkeypatch, took_s=0.1, sleeps=False).clock)
    await files.put("a", SMALL)
    await files.put("b", SMALL)
    assert files.writers == [True, True]


async def test_where_nobody_says_whether_the_disk_is_waited_for_only_threads_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = LocalFiles(tmp_path, fsync=False)
    preadv = os.preadv

    def unable(descriptor: int, buffers: list[bytearray], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(errno.EOPNOTSUPP, "planted")
        return preadv(descriptor, buffers, offset)

    await files.put("a", SMALL)
    assert files.read("a") == SMALL
    monkeypatch.setattr(os, "preadv", unable)
    assert (files.get_at_once("a"), files.read("a"), await files.get("a")) == (None, SMALL, SMALL)


async def test_threads_have_more_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, took_s=4 * local_files.THREAD_SLOW_S)
    files = Spied(tmp_path, fsync=False, clock=disk.clock)
    assert [files.write("a", SMALL), files.write("b", SMALL), files.write("c", LARGE)] == [True, True, False]
    disk.took_s = 8 * local_files.THREAD_SLOW_S
    assert [files.write("d", SMALL), files.write("e", SMALL)] == [True, False]
    assert files.read("a") is None
    assert [await files.get(key) for key in "abd"] == [SMALL] * 3
