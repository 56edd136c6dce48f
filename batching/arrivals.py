"""Arrivals: values that threads hand to an event loop, several with one call, for each call wakes it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")
MOST_AT_REST = 8
"""Values that lie here before the loop is woken."""
LONGEST_REST_S = 0.02
"""For so long a value lies here, if nobody wakes the loop."""


class Arrivals(Generic[T]):
    """Futures of one loop that other threads fulfil. A value waits for others, unless it is in a hurry."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrived: deque[tuple[asyncio.Future[T], T]] = deque()
        self._woken = False
        self._expected = 0
        self._timer: asyncio.TimerHandle | None = None

    def expected(self) -> asyncio.Future[T]:
        """A future that `put` will fulfil. On the loop."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._expected += 1
        future.add_done_callback(self._ended)
        if self._timer is None:
            self._timer = self._loop.call_later(LONGEST_REST_S, self._look)
        return future

    def put(self, future: asyncio.Future[T], value: T, *, hurried: bool) -> None:
        """The value of a future, which it has soon, at once if `hurried`, or never if it was cancelled. Any thread."""
        self._arrived.append((future, value))
        if not self._woken and (hurried or len(self._arrived) >= MOST_AT_REST):
            self._woken = True
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False  # before the first is taken: what comes from now on may wake the loop again
        while self._arrived:
            future, value = self._arrived.popleft()
            if not future.done():
                future.set_result(value)

    def _ended(self, future: asyncio.Future[T]) -> None:
        self._expected -= 1

    def _look(self) -> None:
        self._deliver()
        self._timer = self._loop.call_later(LONGEST_REST_S, self._look) if self._expected else None
