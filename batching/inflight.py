"""What a worker has taken and not yet finished, and so whether it should take more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from batching.items import PRIORITIES, Budget, Priority, Taken


class InFlight:
    """Entries in flight, by priority. `freed` is set whenever some leave, `empty` while there are none."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._items: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        self._cost: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        self.freed = asyncio.Event()
        self.empty = asyncio.Event()
        self.empty.set()

    def __bool__(self) -> bool:
        return any(self._items.values())

    def add(self, entries: Sequence[Taken]) -> None:
        """Entries that were taken."""
        self.empty.clear()
        for entry in entries:
            self._items[entry.lane.priority] += 1
            self._cost[entry.lane.priority] += entry.cost_pixels

    def free(self, entries: Sequence[Taken]) -> None:
        """Entries that are finished, dropped or handed back."""
        for entry in entries:
            self._items[entry.lane.priority] -= 1
            self._cost[entry.lane.priority] -= entry.cost_pixels
        self.freed.set()
        if not self:
            self.empty.set()

    def wanted(self) -> tuple[Priority, ...]:
        """The priorities to take more of: those with at most one micro-batch in flight, so that the next is on its way
        while one runs, and no micro-batch is taken item by item. `freed` is cleared: wait for it before asking again.
        """
        self.freed.clear()
        return tuple(
            priority
            for priority in PRIORITIES
            if self._items[priority] <= self._low_items(priority) and self._cost[priority] <= self._budget.cost_pixels
        )

    def counts(self) -> dict[Priority, int]:
        """Items in flight by priority."""
        return dict(self._items)

    def _low_items(self, priority: Priority) -> int:
        # An interactive item is taken at once, however many are in flight: it may be the only one of its tenant.
        return self._budget.items if priority == "bulk" else 2 * self._budget.items
