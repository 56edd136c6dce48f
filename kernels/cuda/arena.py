"""Arena: device memory kept for micro-batches in slots, each used again only when the host knows that it is free.

Memory that a decoder is given must have no former user that still runs: nvJPEG's hardware decoder on Hopper writes
without waiting for the stream (pytorch/vision#9606, meta-pytorch/torchcodec#1634). What a slot holds never goes back to
torch's allocator while a kernel may read it, so no decoder can be given it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch

_STEP = 1 << 20
_KEPT = 1 << 30
"""Most bytes that a slot keeps for good; what needs more has memory of its own, for once."""


class Event(Protocol):
    """A mark in the work of a stream."""

    def record(self) -> None:
        """Sets the mark after all work so far."""

    def synchronize(self) -> None:
        """Waits, on the host, until the mark is reached; at once if it was never set."""


class HostEvent:
    """The mark of memory on the host, where work is done when it returns."""

    def record(self) -> None:
        return

    def synchronize(self) -> None:
        return


class Slot:
    """Memory of one micro-batch: `host` bytes to fill, pinned where there is a GPU, and `device` bytes."""

    def __init__(self, device: torch.device, event: Event) -> None:
        self._device, self._event = device, event
        self.host = torch.empty(0, dtype=torch.uint8)
        self.device = torch.empty(0, dtype=torch.uint8, device=device)

    def begin(self) -> None:
        """Waits until all former use is over."""
        self._event.synchronize()
        self._release()

    def end(self) -> None:
        """Marks the end of this use on the current stream."""
        self._event.record()

    def finish(self) -> None:
        """Waits until this use is over, so that what it copied to the host is there. The memory is not used after it."""
        self._event.record()
        self._event.synchronize()
        self._release()

    def reserve(self, host_bytes: int, device_bytes: int) -> None:
        """Makes sure of so much memory; what is there already is kept. torch.OutOfMemoryError if there is none."""
        pinned = self._device.type == "cuda"
        if self.host.numel() < host_bytes:
            self.host = torch.empty(_rounded(host_bytes), dtype=torch.uint8, pin_memory=pinned)
        if self.device.numel() < device_bytes:
            # first given back, or both would have to fit
            self.device = self.device[:0].clone()
            self.device = torch.empty(_rounded(device_bytes), dtype=torch.uint8, device=self._device)

    def _release(self) -> None:
        """Gives back memory beyond what is kept for good."""
        if self.host.numel() > _KEPT:
            self.host = self.host[:0].clone()
        if self.device.numel() > _KEPT:
            self.device = self.device[:0].clone()


class Arena:
    """A fixed number of slots on one device; who finds none free waits."""

    def __init__(
        self, device: torch.device, slots: int = 2, slot_bytes: int = 0, make_event: Callable[[], Event] | None = None
    ) -> None:
        make = make_event or (torch.cuda.Event if device.type == "cuda" else HostEvent)
        self._free = [Slot(device, make()) for _ in range(slots)]
        self._changed = threading.Condition()
        for slot in self._free:
            slot.reserve(0, slot_bytes)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """A slot whose former users are done. Work on the current stream at the end of the block is its last use."""
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            slot = self._free.pop(0)
        try:
            slot.begin()
            yield slot
        finally:
            # marked even after an error: work that was begun may still run
            slot.end()
            with self._changed:
                self._free.append(slot)
                self._changed.notify()


def _rounded(size: int) -> int:
    """A quarter more than asked, in whole steps: a little growth needs no new memory."""
    return -(-(size + size // 4) // _STEP) * _STEP
