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
"""Micro-batches of bulk work that are taken beyond the two to be run, of tenants who have none in flight."""
MOST_UNFINISHED = 2
"""Micro-batches of a priority, those that wait for their end included, above which none of it is taken."""
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


@dataclass
class _Amount:
    """How many entries, and their cost."""

    items: int = 0
    cost_pixels: int = 0

    def add(self, entry: Taken, step: Literal[1, -1]) -> None:
        self.items += step
        self.cost_pixels += step * entry.cost_pixels

    def within(self, budget: Budget, micro_batches: int) -> bool:
        """Whether it is no more than so many micro-batches hold, each of which its last entry may make exceed its cost."""
        most_pixels = micro_batches * (budget.cost_pixels + self.cost_pixels / max(1, self.items))
        return self.items <= micro_batches * budget.items and self.cost_pixels <= most_pixels


class InFlight:
    """Entries in flight, by priority. `freed` is set whenever there may be more room, `empty` while there are none.

    Room is what the engine has room for: what was run, and waits for nothing but its end, takes none, up to a number.
    """

    def __init__(self, budget: Budget, threads: int = 1) -> None:
        """threads: engine threads, each of which wants an item however large the items are."""
        self._budget, self._threads = budget, threads
        self._all = {priority: _Amount() for priority in PRIORITIES}
        self._to_run = {priority: _Amount() for priority in PRIORITIES}
        """Those of them that are still to be run."""
        self._bulk_of: Counter[str] = Counter()
        """Bulk entries of each tenant."""
        self._aside: set[tuple[LaneKey, str]] = set()
        self._ran: set[tuple[LaneKey, str]] = set()
        self.freed = asyncio.Event()
        self.empty = asyncio.Event()
        self.empty.set()

    def __bool__(self) -> bool:
        return any(amount.items for amount in self._all.values()) or bool(self._aside)

    def add(self, entries: Sequence[Taken]) -> None:
        """Entries that were taken."""
        self.empty.clear()
        for entry in entries:
            self._count(entry, 1)
            self._to_run[entry.lane.priority].add(entry, 1)

    def ran(self, entry: Taken) -> None:
        """An entry that waits for nothing but its end."""
        if (entry.lane, entry.entry_id) not in self._aside:
            self._ran.add((entry.lane, entry.entry_id))
            self._no_longer_to_run(entry)

    def set_aside(self, entry: Taken) -> None:
        """An entry of a suspect: it waits for the sandbox, and does not take the engine's room, up to a number."""
        if len(self._aside) < MOST_ASIDE:
            self._aside.add((entry.lane, entry.entry_id))
            self._count(entry, -1)
            self._no_longer_to_run(entry)
            self.freed.set()

    def free(self, entries: Sequence[Taken]) -> None:
        """Entries that are finished, dropped or handed back."""
        for entry in entries:
            key = entry.lane, entry.entry_id
            if key in self._aside:
                self._aside.discard(key)
                continue
            self._count(entry, -1)
            if key in self._ran:
                self._ran.discard(key)
            else:
                self._no_longer_to_run(entry)
        self.freed.set()
        if not self:
            self.empty.set()

    def room(self) -> Room:
        """What to take more of: of a priority with at most one micro-batch to be run, another, so that the next is on its
        way while one runs, and no micro-batch is taken item by item. Beyond that, bulk work of tenants who have none in
        flight: the engine gives them turns. `freed` is cleared: wait for it before asking again.
        """
        self.freed.clear()
        low = tuple(priority for priority in PRIORITIES if self._is_low(priority))
        if "bulk" in low:
            return Room(low, self._budget)
        to_run, bulk = self._to_run["bulk"], self._all["bulk"]
        missing = self._threads + 1 - to_run.items
        if missing > 0 and bulk.items <= MOST_UNFINISHED * self._budget.items:
            # items so large that few of them are a micro-batch's worth must not leave threads idle
            return Room((*low, "bulk"), replace(self._budget, items=missing))
        if to_run.within(self._budget, 1 + NEWCOMERS) and bulk.within(self._budget, MOST_UNFINISHED + NEWCOMERS):
            return Room((*low, "bulk"), self._budget, frozenset(self._bulk_of))
        return Room(low, self._budget)

    def alone(self, entry: Taken) -> bool:
        """Whether a bulk entry is the only one of its tenant beside those of others."""
        return self._bulk_of[entry.lane.tenant] == 1 and len(self._bulk_of) > 1

    def crowded(self, beside: int) -> bool:
        """Whether more interactive items are in flight than the engine has threads, `beside` others not counted."""
        return self._all["interactive"].items - beside > self._threads

    def counts(self) -> dict[Priority, int]:
        """Items in flight by priority, suspects not among them."""
        return {priority: amount.items for priority, amount in self._all.items()}

    @property
    def aside(self) -> int:
        """Suspects in flight."""
        return len(self._aside)

    def _is_low(self, priority: Priority) -> bool:
        to_run = self._to_run[priority]
        if priority == "interactive" and to_run.items > AHEAD * self._threads:
            return False
        return to_run.within(self._budget, 1) and self._all[priority].within(self._budget, MOST_UNFINISHED)

    def _count(self, entry: Taken, step: Literal[1, -1]) -> None:
        priority, tenant = entry.lane
        self._all[priority].add(entry, step)
        if priority == "bulk":
            self._bulk_of[tenant] += step
            if not self._bulk_of[tenant]:
                del self._bulk_of[tenant]

    def _no_longer_to_run(self, entry: Taken) -> None:
        priority, to_run = entry.lane.priority, self._to_run[entry.lane.priority]
        was_low = self._is_low(priority)
        to_run.add(entry, -1)
        nothing_waits = priority == "bulk" and to_run.items == self._threads
        if nothing_waits or (self._is_low(priority) and not was_low):
            self.freed.set()
