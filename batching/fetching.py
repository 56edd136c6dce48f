"""How much source picture may lie in memory before an engine thread takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

MOST_BYTES = 256 * 2**20
MOST_FETCHES = 16


class FetchGate:
    """Bounds fetches that run side by side, and bytes fetched and not yet run. Interactive pictures pass at once."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_fetches: int = MOST_FETCHES) -> None:
        self._most_bytes = most_bytes
        self._fetches = asyncio.Semaphore(most_fetches)
        self._held = 0
        self._beyond = asyncio.Lock()
        self._room = asyncio.Event()
        self._room.set()

    @asynccontextmanager
    async def fetching(self, urgent: bool) -> AsyncIterator[None]:
        """While one picture is fetched; entered when there is room for it."""
        if urgent:
            yield
            return
        async with self._fetches:
            while self._held >= self._most_bytes:
                self._room.clear()
                await self._room.wait()
            yield

    @asynccontextmanager
    async def more(self, urgent: bool) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """While a picture fetches its partners: `await room()` before each. One picture at a time may pass the bound.

        Nobody may wait for room alone here, since all that is held may belong to others who wait.
        """
        async with AsyncExitStack() as beyond:
            passed = urgent

            async def room() -> None:
                nonlocal passed
                if not passed and self._held >= self._most_bytes:
                    await beyond.enter_async_context(self._beyond)
                    passed = True

            yield room

    def hold(self, content_bytes: int) -> None:
        """A picture was fetched."""
        self._held += content_bytes

    def release(self, content_bytes: int) -> None:
        """A picture has been run, or will not be."""
        self._held -= content_bytes
        if self._held < self._most_bytes:
            self._room.set()
