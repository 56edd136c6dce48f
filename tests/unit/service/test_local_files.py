"""Files of the local store: small ones at once, and by the threads after the disk was waited for."""

from __future__ import annotations

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
    clock, sleeps = [0.0], [0]
    files = Spied(tmp_path, fsync=False, clock=clock)
    monkeypatch.setattr(local_files, "_sleeps", lambda: sleeps[0])
    create = local_files._create

    def slow(path: str) -> int:
        clock[0] += 0.1
        sleeps[0] += 1
        return create(path)

    monkeypatch.setattr(local_files, "_create", slow)
    await files.put("a", SMALL)
    monkeypatch.setattr(local_files, "_create", create)
    await files.put("b", SMALL)
    clock[0] += SLOW_FOR_S
    await files.put("c", SMALL)
    assert files.writers == [True, False, True]
    assert [await files.get(key) for key in "abc"] == [SMALL] * 3


async def test_a_process_that_others_kept_waiting_has_no_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    files = Spied(tmp_path, fsync=False, clock=clock)
    monkeypatch.setattr(local_files, "_sleeps", lambda: 0)
    create = local_files._create

    def late(path: str) -> int:
        clock[0] += 0.1
        return create(path)

    monkeypatch.setattr(local_files, "_create", late)
    await files.put("a", SMALL)
    await files.put("b", SMALL)
    assert files.writers == [True, True]
