"""Bounded hand-offs between threads: interactive work overtakes bulk work without starving it, and owners take turns."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
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


class _Turns(Generic[T]):
    """Entries of several owners, one of each in turn; those of one owner in their order."""

    def __init__(self) -> None:
        self._by_owner: OrderedDict[str, deque[_Entry[T]]] = OrderedDict()
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[_Entry[T]]:
        for entries in self._by_owner.values():
            yield from entries

    def __contains__(self, owner: str) -> bool:
        return owner in self._by_owner

    def append(self, owner: str, entry: _Entry[T]) -> None:
        entries = self._by_owner.get(owner)
        if entries is None:
            entries = self._by_owner[owner] = deque()
        entries.append(entry)
        self._number += 1

    def first(self) -> _Entry[T]:
        return next(iter(self._by_owner.values()))[0]

    def popleft(self) -> _Entry[T]:
        owner, entries = next(iter(self._by_owner.items()))
        entry = entries.popleft()
        self._number -= 1
        if not entries:
            del self._by_owner[owner]
        elif len(self._by_owner) > 1:
            self._by_owner.move_to_end(owner)
        return entry

    def clear(self) -> None:
        self._by_owner.clear()
        self._number = 0


class HandOff(Generic[T]):
    """A queue of two priorities between threads, bounded by cost. Within a priority owners take turns, entry by entry.

    An entry larger than the bound is let in when the queue is empty, so nothing is ever too large to pass.
    """

    def __init__(self, most_cost: float = float("inf")) -> None:
        self._most_cost = most_cost
        self._waiting: dict[Priority, _Turns[T]] = {"interactive": _Turns(), "bulk": _Turns()}
        self._cost = 0
        self._bulk_due = 0.0
        self._open = True
        self._changed = threading.Condition()

    def put(self, priority: Priority, cost: int, value: T, owner: str = "") -> None:
        """Adds an entry of `owner`, after waiting for room. Once closed, entries are let in without waiting."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or not self._cost or self._cost + cost <= self._most_cost)
            self._waiting[priority].append(owner, _Entry(cost, value))
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
            while (
                len(taken) < most and (lane := self._next_lane()) and (not taken or cost + lane.first().cost <= most_cost)
            ):
                entry = self._pop(lane)
                cost += entry.cost
                taken.append(entry)
            self._changed.notify_all()
            return [entry.value for entry in taken]

    def waiting(self, priority: Priority) -> int:
        """Entries of that priority."""
        return len(self._waiting[priority])

    def waits(self, priority: Priority, owner: str) -> bool:
        """Whether there are entries of that priority and owner."""
        return owner in self._waiting[priority]

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

    def _next_lane(self) -> _Turns[T] | None:
        interactive, bulk = self._waiting["interactive"], self._waiting["bulk"]
        if not interactive:
            return bulk or None
        return bulk if bulk and self._bulk_due >= bulk.first().cost else interactive

    def _pop(self, lane: _Turns[T]) -> _Entry[T]:
        entry = lane.popleft()
        self._cost -= entry.cost
        bulk = self._waiting["bulk"]
        if lane is bulk:
            self._bulk_due = max(0.0, self._bulk_due - entry.cost)
        elif bulk:
            # While both wait, bulk work earns a fixed part of what interactive work is given.
            self._bulk_due += entry.cost * BULK_PART / (1 - BULK_PART)
        return entry
