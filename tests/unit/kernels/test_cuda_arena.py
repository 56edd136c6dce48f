"""Device memory is handed on only when the host knows that its former users are done."""

from __future__ import annotations

import threading

import pytest
import torch

from kernels.cuda import arena as arenas
from kernels.cuda.arena import Arena

CPU = torch.device("cpu")


class Marks:
    """An event that writes down what is asked of it."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def record(self) -> None:
        self._log.append("record")

    def synchronize(self) -> None:
        self._log.append("synchronize")


def test_a_slot_is_waited_for_before_it_is_used_again() -> None:
    log: list[str] = []
    arena = Arena(CPU, 1, 100, lambda: Marks(log))
    for number in range(2):
        with arena.slot() as slot:
            log.append(f"use {number}")
            slot.finish()
    used = ["record", "synchronize", "record"]
    assert log == ["synchronize", "use 0", *used, "synchronize", "use 1", *used]


def test_a_slot_is_marked_and_waited_for_after_an_error() -> None:
    log: list[str] = []
    arena = Arena(CPU, 1, 100, lambda: Marks(log))
    with pytest.raises(ZeroDivisionError), arena.slot():
        raise ZeroDivisionError
    assert log == ["synchronize", "record"]
    with arena.slot():
        assert log[-1] == "synchronize"


def test_memory_is_kept_from_use_to_use_and_grows() -> None:
    arena = Arena(CPU, 1, 1000)
    with arena.slot() as slot:
        slot.reserve(10, 1000)
        first = slot.device.data_ptr()
    with arena.slot() as slot:
        slot.reserve(10, 900)
        assert slot.device.data_ptr() == first
        slot.reserve(10, 10_000_000)
        assert slot.device.numel() >= 10_000_000
        assert slot.host.numel() >= 10


def test_memory_beyond_what_is_kept_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arenas, "_KEPT", 1 << 20)
    arena = Arena(CPU, 1)
    with arena.slot() as slot:
        slot.reserve(5 << 20, 5 << 20)
    with arena.slot() as slot:
        assert slot.device.numel() == slot.host.numel() == 0
        slot.reserve(5 << 20, 5 << 20)
        slot.finish()
        assert slot.device.numel() == slot.host.numel() == 0


def test_users_of_all_slots_never_meet() -> None:
    arena = Arena(CPU, 2, 64)
    in_use: set[int] = set()
    met: list[int] = []
    lock = threading.Lock()

    def use() -> None:
        for _ in range(200):
            with arena.slot() as slot:
                place = slot.device.data_ptr()
                with lock:
                    if place in in_use or len(in_use) >= 2:
                        met.append(place)
                    in_use.add(place)
                with lock:
                    in_use.discard(place)

    threads = [threading.Thread(target=use) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not met
