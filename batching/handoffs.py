"""Bounded hand-offs between threads, in which interactive work overtakes bulk work without starving it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from batching.items import Priority

T = TypeVar("T")
BULK_PART = 0.2
"""Least part of the work, by cost, that bulk items get while interactive ones wait too."""


@dataclass(frozen=True)
class _Entry(Generic[T]):
    cost: int
    value: T


class HandOff(Generic[T]):
    """A queue of two priorities between threads, bounded by cost.

    An entry larger than the bound is let in when the queue is empty, so nothing is ever too large to pass.
    """

    def __init__(self, most_cost: float = float("inf")) -> None:
        self._most_cost = most_cost
        self._waiting: dict[Priority, deque[_Entry[T]]] = {"interactive": deque(), "bulk": deque()}
        self._cost = 0
        self._bulk_due = 0.0
        self._open = True
        self._changed = threading.Condition()

    def put(self, priority: Priority, cost: int, value: T) -> None:
        """Adds an entry, after waiting for room. Once closed, entries are let in without waiting."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or not self._cost or self._cost + cost <= self._most_cost)
            self._waiting[priority].append(_Entry(cost, value))
            self._cost += cost
            self._changed.notify_all()

    def get(self) -> T | None:
        """The next entry, after waiting for one; None: closed and empty."""
        taken = self.get_many(1, 1)
        return taken[0] if taken else None

    def get_many(self, most_cost: float, most: int) -> list[T]:
        """At least one entry, after waiting for it, and what else is there within the limits; []: closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or any(self._waiting.values()))
            taken: list[_Entry[T]] = []
            cost = 0
            while len(taken) < most and (lane := self._next_lane()) and (not taken or cost + lane[0].cost <= most_cost):
                entry = self._pop(lane)
                cost += entry.cost
                taken.append(entry)
            self._changed.notify_all()
            return [entry.value for entry in taken]

    def waiting(self, priority: Priority) -> int:
        """Entries of that priority."""
        return len(self._waiting[priority])

    def withdraw(self) -> list[T]:
        """Every entry, none of which anyone will get."""
        with self._changed:
            entries = [entry.value for lane in self._waiting.values() for entry in lane]
            for lane in self._waiting.values():
                lane.clear()
            self._cost = 0
            self._changed.notify_all()
            return entries

    def close(self) -> None:
        """Lets everyone who waits go on; what is still here can be taken."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _next_lane(self) -> deque[_Entry[T]] | None:
        interactive, bulk = self._waiting["interactive"], self._waiting["bulk"]
        if not interactive:
            return bulk or None
        return bulk if bulk and self._bulk_due >= bulk[0].cost else interactive

    def _pop(self, lane: deque[_Entry[T]]) -> _Entry[T]:
        entry = lane.popleft()
        self._cost -= entry.cost
        bulk = self._waiting["bulk"]
        if lane is bulk:
            self._bulk_due = max(0.0, self._bulk_due - entry.cost)
        elif bulk:
            # While both wait, bulk work earns a fixed part of what interactive work is given.
            self._bulk_due += entry.cost * BULK_PART / (1 - BULK_PART)
        return entry
