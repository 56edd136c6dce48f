"""Waiting for work: for an item to be put, or for room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from batching.items import Priority
from batching.lanes import LANES_DOWN, Lanes

BELL_S = 5.0
"""Longest time that Redis is asked to hold an answer; the client's socket must wait longer."""


class Bells:
    """One waiting call for each priority, kept from one wait to the next: ending one costs a connection."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._waiting: dict[Priority, asyncio.Task[bool]] = {}

    async def wait(self, wanted: Sequence[Priority], freed: asyncio.Event, timeout_s: float) -> None:
        """Returns when an item of a wanted priority was put, when `freed` is set, or after `timeout_s`."""
        for priority in wanted:
            if priority not in self._waiting:
                self._waiting[priority] = asyncio.ensure_future(self._lanes.wait(priority, BELL_S))
        room = asyncio.ensure_future(freed.wait())
        bells = {priority: task for priority, task in self._waiting.items() if priority in wanted or task.done()}
        try:
            await asyncio.wait([room, *bells.values()], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.cancel()
        for priority, task in bells.items():
            if task.done():
                del self._waiting[priority]
                if task.result() and priority not in wanted:
                    await self._lanes.ring(priority)

    async def rest(self) -> None:
        """Stops waiting. A token that arrived meanwhile is passed on."""
        waiting, self._waiting = self._waiting, {}
        for task in waiting.values():
            task.cancel()
        for priority, task in waiting.items():
            with suppress(asyncio.CancelledError, *LANES_DOWN):
                if await task:
                    await self._lanes.ring(priority)
