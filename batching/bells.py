"""Waiting for work: for an item to be put, or for room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from batching.items import Bell
from batching.lanes import LANES_DOWN, Lanes

BELL_S = 5.0
"""Longest time that Redis is asked to hold an answer; the client's socket must wait longer."""


class Bells:
    """One waiting call for each bell, kept from one wait to the next: ending one costs a connection."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._waiting: dict[Bell, asyncio.Task[bool]] = {}

    async def wait(self, wanted: Sequence[Bell], freed: asyncio.Event, timeout_s: float) -> bool:
        """Waits until one of the wanted bells was rung, `freed` is set, or `timeout_s` are over. False: `freed`, only."""
        for bell in wanted:
            if bell not in self._waiting:
                self._waiting[bell] = asyncio.ensure_future(self._lanes.wait(bell, BELL_S))
        room = asyncio.ensure_future(freed.wait())
        bells = {bell: task for bell, task in self._waiting.items() if bell in wanted or task.done()}
        try:
            done, _ = await asyncio.wait([room, *bells.values()], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.cancel()
        for bell, task in bells.items():
            if task.done():
                del self._waiting[bell]
                if task.result() and bell not in wanted:
                    await self._lanes.ring(bell)
        return done != {room}

    async def rest(self) -> None:
        """Stops waiting. A token that arrived meanwhile is passed on."""
        waiting, self._waiting = self._waiting, {}
        for task in waiting.values():
            task.cancel()
        for bell, task in waiting.items():
            with suppress(asyncio.CancelledError, *LANES_DOWN):
                if await task:
                    await self._lanes.ring(bell)
