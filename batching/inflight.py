"""What a worker has taken and not yet finished, and so whether it should take more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from batching.items import PRIORITIES, Bell, Budget, LaneKey, Priority, Taken

AHEAD = 3
"""Interactive items that wait for each thread of the engine, above which none are taken: they could not begin any earlier,
while in their lane they are still anyone's, and those that are taken later share a micro-batch with more others."""
NEWCOMERS = 1
"""Micro-batches of bulk work that are taken beyond the two in flight, of tenants who have none in it."""
MOST_ASIDE = 16
"""Suspects that a worker takes on beside its other work."""


@dataclass(frozen=True)
class Room:
    """What to take next: these priorities, up to this budget."""

    priorities: tuple[Priority, ...]
    budget: Budget
    held: frozenset[str] = frozenset()
    """Tenants whose bulk work is passed over."""

    @property
    def bells(self) -> tuple[Bell, ...]:
        """What to wait for: not for any bulk item, where the next one may be of a tenant who is passed over."""
        return tuple("newcomer" if priority == "bulk" and self.held else priority for priority in self.priorities)

    def covers(self, other: Room) -> bool:
        """Whether who asked for this asked for all that `other` would take, whatever the budgets."""
        return set(other.priorities) <= set(self.priorities) and ("bulk" not in other.priorities or self.held <= other.held)


class InFlight:
    """Entries in flight, by priority. `freed` is set whenever some leave, `empty` while there are none."""

    def __init__(self, budget: Budget, threads: int = 1) -> None:
        """threads: engine threads, each of which wants an item however large the items are."""
        self._budget, self._threads = budget, threads
        self._items: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        self._cost: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        self._bulk_of: Counter[str] = Counter()
        """Bulk entries of each tenant."""
        self._aside: set[tuple[LaneKey, str]] = set()
        self._ran: set[tuple[LaneKey, str]] = set()
        self._urgent = 0
        """Interactive entries that are still to be run."""
        self.freed = asyncio.Event()
        self.empty = asyncio.Event()
        self.empty.set()

    def __bool__(self) -> bool:
        return any(self._items.values()) or bool(self._aside)

    def add(self, entries: Sequence[Taken]) -> None:
        """Entries that were taken."""
        self.empty.clear()
        for entry in entries:
            self._count(entry, 1)
            self._urgent += entry.lane.priority == "interactive"

    def ran(self, entry: Taken) -> None:
        """An entry that waits for nothing but its end."""
        if entry.lane.priority == "interactive" and (entry.lane, entry.entry_id) not in self._aside:
            self._ran.add((entry.lane, entry.entry_id))
            self._no_longer_urgent()

    def set_aside(self, entry: Taken) -> None:
        """An entry of a suspect: it waits for the sandbox, and does not take the engine's room, up to a number."""
        if len(self._aside) < MOST_ASIDE:
            self._aside.add((entry.lane, entry.entry_id))
            self._count(entry, -1)
            if entry.lane.priority == "interactive":
                self._no_longer_urgent()
            self.freed.set()

    def free(self, entries: Sequence[Taken]) -> None:
        """Entries that are finished, dropped or handed back."""
        for entry in entries:
            if (entry.lane, entry.entry_id) in self._aside:
                self._aside.discard((entry.lane, entry.entry_id))
                continue
            self._count(entry, -1)
            if entry.lane.priority == "interactive":
                if (entry.lane, entry.entry_id) in self._ran:
                    self._ran.discard((entry.lane, entry.entry_id))
                else:
                    self._no_longer_urgent()
        self.freed.set()
        if not self:
            self.empty.set()

    def room(self) -> Room:
        """What to take more of: of a priority with at most one micro-batch in flight, another, so that the next is on its
        way while one runs, and no micro-batch is taken item by item. Beyond that, bulk work of tenants who have none in
        flight: the engine gives them turns. `freed` is cleared: wait for it before asking again.
        """
        self.freed.clear()
        low = tuple(priority for priority in PRIORITIES if self._is_low(priority))
        if "bulk" in low:
            return Room(low, self._budget)
        missing = self._threads + 1 - self._items["bulk"]
        if missing > 0:  # items so large that few of them are a micro-batch's worth must not leave threads idle
            return Room((*low, "bulk"), replace(self._budget, items=missing))
        if self._within("bulk", items=1 + NEWCOMERS, cost=1 + NEWCOMERS):
            return Room((*low, "bulk"), self._budget, frozenset(self._bulk_of))
        return Room(low, self._budget)

    def alone(self, entry: Taken) -> bool:
        """Whether a bulk entry is the only one of its tenant beside those of others."""
        return self._bulk_of[entry.lane.tenant] == 1 and len(self._bulk_of) > 1

    def crowded(self, beside: int) -> bool:
        """Whether more interactive items are in flight than the engine has threads, `beside` others not counted."""
        return self._items["interactive"] - beside > self._threads

    def counts(self) -> dict[Priority, int]:
        """Items in flight by priority, suspects not among them."""
        return dict(self._items)

    @property
    def aside(self) -> int:
        """Suspects in flight."""
        return len(self._aside)

    def _is_low(self, priority: Priority) -> bool:
        if priority == "interactive":
            # Those that have been run wait for each other only: more are taken, for one may be the only one of its tenant.
            if self._urgent > AHEAD * self._threads:
                return False
            return self._within(priority, items=2, cost=1)
        return self._within(priority, items=1, cost=1)

    def _within(self, priority: Priority, items: int, cost: int) -> bool:
        """Whether no more is in flight than the items of so many micro-batches, and the cost of so many."""
        return (
            self._items[priority] <= items * self._budget.items and self._cost[priority] <= cost * self._budget.cost_pixels
        )

    def _count(self, entry: Taken, step: Literal[1, -1]) -> None:
        priority, tenant = entry.lane
        self._items[priority] += step
        self._cost[priority] += step * entry.cost_pixels
        if priority == "bulk":
            self._bulk_of[tenant] += step
            if not self._bulk_of[tenant]:
                del self._bulk_of[tenant]

    def _no_longer_urgent(self) -> None:
        self._urgent -= 1
        if self._urgent == AHEAD * self._threads:
            self.freed.set()
