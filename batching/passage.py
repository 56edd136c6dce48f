"""Passage: one leased item's way through fetch, engine and store to its outcome, on the loop thread."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from batching import failpoints
from batching.engine import Engine
from batching.errors import Internal, SourceMissing, Unavailable
from batching.execute import Ran, Result, Work
from batching.fetching import FetchGate
from batching.items import Done, Encoded, Failed, Item, Outcome, Stored
from batching.leases import Leases
from batching.ledger import Store
from batching.retries import back_off
from batching.telemetry import Tally

log = logging.getLogger(__name__)
ODD_ERRORS = 3
"""Tries of one fetch or put before an error that is not the store's absence fails the item."""


class NotOurs(Exception):
    """The item is to be handed back: it is not begun and the worker leaves, or its lease is lost."""


class Passage:
    """Moves items from lease to outcome. What the store refuses is tried for as long as the lease is ours."""

    def __init__(
        self, store: Store, engine: Engine, leases: Leases, tally: Tally, device: str, engine_version: str
    ) -> None:
        """device, engine_version: what results say they were made by."""
        self._objects, self._engine, self._leases, self._tally = store, engine, leases, tally
        self._device, self._engine_version = device, engine_version
        self._gate = FetchGate()
        self._running: dict[tuple[UUID, int], asyncio.Future[Result]] = {}
        """By attempt."""
        self._leaving = False

    def leave(self) -> None:
        """From now on what is not begun is not ours."""
        self._leaving = True
        for work in self._engine.withdraw():
            if (future := self._running.get(work.item.attempt)) and not future.done():
                future.set_exception(NotOurs())

    async def outcome(self, item: Item) -> Outcome:
        """How an item ends. Errors: NotOurs."""
        async with self._gate.fetching(urgent=item.priority == "interactive"):
            self._check_begun(item)
            with self._tally.stage("fetch"):
                content = await self._fetch(item)
            if isinstance(content, Failed):
                return content
            self._gate.hold(len(content))
        try:
            failpoints.hit("fetched")
            self._check_begun(item)
            result = await self._compute(Work(item, content))
        finally:
            self._gate.release(len(content))
        if isinstance(result, Failed):
            return result
        with self._tally.stage("store"):
            return await self._store(result)

    async def _fetch(self, item: Item) -> bytes | Failed:
        odd = 0
        for pause_s in back_off():
            try:
                return await self._objects.get(item.source_key)
            except SourceMissing as error:
                return Failed(item, error.code, error.message)
            except Unavailable as error:
                log.warning("cannot fetch: %s", error)
            except Exception:
                log.exception("fetching the picture of item %s failed", item.id)
                odd += 1
                if odd >= ODD_ERRORS:
                    return Failed(item, Internal.code, Internal().message)
            self._check_ours(item)
            await asyncio.sleep(pause_s)
        raise AssertionError("back_off never ends")

    async def _compute(self, work: Work) -> Result:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._running[work.item.attempt] = future

        def resolve(result: Result) -> None:
            if not future.done():
                future.set_result(result)

        def done(result: Result) -> None:
            loop.call_soon_threadsafe(resolve, result)

        self._engine.submit(work, done)
        try:
            return await future
        finally:
            del self._running[work.item.attempt]

    async def _store(self, ran: Ran) -> Outcome:
        item = ran.item
        try:
            if len(ran.outputs) == 1:
                stored = [await self._put(item, ran.outputs[0])]
            else:
                stored = await asyncio.gather(*(self._put(item, output) for output in ran.outputs))
        except (NotOurs, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("storing the results of item %s failed", item.id)
            return Failed(item, Internal.code, Internal().message)
        failpoints.hit("stored")
        return Done(item, tuple(stored), self._device, self._engine_version)

    async def _put(self, item: Item, output: Encoded) -> Stored:
        key = f"{item.tenant}/outputs/{item.day}/{item.id}/{output.variant}/{item.token}"
        odd = 0
        for pause_s in back_off():
            self._check_ours(item)
            try:
                await self._objects.put(key, output.content)
                break
            except Unavailable as error:
                log.warning("cannot store: %s", error)
            except Exception:
                odd += 1
                if odd >= ODD_ERRORS:
                    raise
                log.exception("storing a result of item %s failed", item.id)
            await asyncio.sleep(pause_s)
        return Stored(
            variant=output.variant,
            object_key=key,
            bytes=len(output.content),
            sha256=output.sha256,
            width=output.width,
            height=output.height,
            format=output.format,
            draws=output.draws,
            labels=output.labels,
        )

    def _check_begun(self, item: Item) -> None:
        """What is not begun when the worker leaves is handed back."""
        if self._leaving:
            raise NotOurs
        self._check_ours(item)

    def _check_ours(self, item: Item) -> None:
        if not self._leases.ours(item, time.monotonic()):
            raise NotOurs
