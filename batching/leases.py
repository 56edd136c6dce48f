"""The leases that a worker holds: which items are still its to write. Shared by the loop thread and the heartbeat."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from batching.items import Item

SURE_PART = 0.8
"""Part of a lease after which, not renewed, it no longer counts as ours: clocks and answers take time too."""


@dataclass(frozen=True)
class Lease:
    """An item and when its lease was last known to begin (monotonic seconds, taken before asking)."""

    item: Item
    since_s: float


class Leases:
    """The leases of one worker, by item."""

    def __init__(self, lease_s: float) -> None:
        self._sure_s = SURE_PART * lease_s
        self._held: dict[UUID, Lease] = {}
        self._lock = threading.Lock()

    def add(self, items: Iterable[Item], since_s: float) -> None:
        """Items that were just leased; `since_s` was read before they were asked for."""
        with self._lock:
            self._held |= {item.id: Lease(item, since_s) for item in items}

    def renew(self, asked: Collection[Item], renewed: Collection[UUID], since_s: float) -> int:
        """Moves the leases that were renewed on, forgets those asked for and lost; says how many were lost."""
        with self._lock:
            lost = 0
            for item in asked:
                held = self._held.get(item.id)
                if held is None or held.item.token != item.token:
                    continue
                if item.id in renewed:
                    self._held[item.id] = Lease(item, since_s)
                else:
                    del self._held[item.id]
                    lost += 1
            return lost

    def drop(self, items: Iterable[Item]) -> None:
        """Forgets leases of items that are final or handed back; not the ones that were taken since."""
        with self._lock:
            for item in items:
                if (held := self._held.get(item.id)) and held.item.token == item.token:
                    del self._held[item.id]

    def change(self, item: Item) -> None:
        """Keeps what is newly known of an item that is held."""
        with self._lock:
            if (held := self._held.get(item.id)) and held.item.token == item.token:
                self._held[item.id] = Lease(item, held.since_s)

    def ours(self, item: Item, now_s: float) -> bool:
        """Whether results of `item` may still be written."""
        with self._lock:
            held = self._held.get(item.id)
        return held is not None and held.item.token == item.token and now_s - held.since_s < self._sure_s

    def items(self) -> list[Item]:
        """Every item held."""
        with self._lock:
            return [lease.item for lease in self._held.values()]
