"""Grouping: calls that arrive while the last group is under way are done together as the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Grouped(Generic[Asked, Answer]):
    """Runs `together(group) -> answers, in order` for everything asked since the last run, one run at a time.

    An idle system answers at once; a busy one forms groups by itself. An answer that is an exception is raised to its
    asker alone; an exception that `together` raises goes to the whole group. A group once begun is ended, whoever is
    no longer interested.
    """

    def __init__(
        self,
        together: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Exception]]],
        most: int,
        gather_s: float = 0.0,
    ) -> None:
        """gather_s: how long a group waits for more members while others come: when the last one had several."""
        self._together, self._most, self._gather_s = together, most, gather_s
        self._last = 0
        """Members of the last group."""
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Answer:
        """The answer for `asked`, after the group it became part of was done."""
        return await asyncio.shield(self.add(asked))

    def add(self, asked: Asked) -> asyncio.Future[Answer]:
        """The future answer for `asked`."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return future

    async def drained(self) -> None:
        """Returns when nothing is waiting or under way."""
        while self._runner is not None:
            await asyncio.wait([self._runner])

    async def _run(self) -> None:
        try:
            # one turn of the loop, so that requests that arrived in the same moment share the first group
            await asyncio.sleep(0)
            while self._waiting:
                if self._last > 1 and len(self._waiting) < self._most and self._gather_s:
                    await asyncio.sleep(self._gather_s)
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                self._last = len(group)
                await self._run_group(group)
        finally:
            self._runner = None

    async def _run_group(self, group: list[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await self._together([asked for asked, _ in group])
        except Exception as error:  # each asker gets it; the runner must go on for the others
            answers = [error] * len(group)
        for (_, future), answer in zip(group, answers, strict=True):
            if future.cancelled():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
                future.exception()  # an asker that went away must not make it "never retrieved"
            else:
                future.set_result(answer)
