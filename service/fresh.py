"""Facts that may be a few seconds old: read once for all who ask, and again when they are older than that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Fresh(Generic[Key, Value]):
    """Values by key. An error of the read goes to those who wait for it, and nothing is kept of it."""

    def __init__(
        self,
        read: Callable[[Key], Awaitable[Value]],
        for_s: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """for_s: longest age of a value; most: values kept, the oldest goes first."""
        self._read, self._for_s, self._most, self._clock = read, for_s, most, clock
        self._kept: dict[Key, tuple[float, Value]] = {}
        self._reading: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key) -> Value:
        """The value, without waiting where it is known."""
        if (found := self.fresh(key)) is not None:
            return found[0]
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._renew(key))
            task.add_done_callback(_noticed)
        return await asyncio.shield(task)  # one that asks and goes away takes nothing from the others

    def fresh(self, key: Key) -> tuple[Value] | None:
        """The value alone, where it is known; None: it must be waited for."""
        found = self._kept.get(key)
        return (found[1],) if found is not None and self._clock() - found[0] <= self._for_s else None

    def last(self, key: Key) -> Value | None:
        """The value as it was last read, however old; None: it was not, or not lately enough to be kept."""
        found = self._kept.get(key)
        return None if found is None else found[1]

    async def _renew(self, key: Key) -> Value:
        try:
            # the age counts from before the read: what it says may have changed while it was under way
            asked_at_s = self._clock()
            value = await self._read(key)
            self._kept.pop(key, None)  # so that the order of the keys is that of their ages
            self._kept[key] = asked_at_s, value
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
            return value
        finally:
            del self._reading[key]


def _noticed(task: asyncio.Task[Value]) -> None:
    if not task.cancelled():
        task.exception()  # where all who waited went away, it is not "never retrieved"
