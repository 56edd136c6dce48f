"""Passage: one leased item's way through fetch, engine and store to its outcome, on the loop thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar
from uuid import UUID

from batching import failpoints
from batching.arrivals import Arrivals
from batching.company import Companies
from batching.engine import Engine
from batching.errors import Internal, Poison, ResourceExhausted, SourceMissing, Unavailable
from batching.execute import Died, Guest, Lacking, Ran, Result, Unread, Work
from batching.fetching import FetchGate
from batching.items import Done, Encoded, Failed, Item, Outcome, Stored
from batching.leases import Leases
from batching.ledger import Ledger, Store
from batching.porter import Porter, output_key, placed_at
from batching.retries import back_off
from batching.sandbox.sandbox import Sandbox
from batching.telemetry import Tally
from kernels.errors import InputError, RecipeInvalid, WorkTooLarge
from kernels.partners import choices, most_partners
from kernels.plan import Variant
from kernels.tensors import Size

log = logging.getLogger(__name__)
ODD_ERRORS = 3
"""Tries of one fetch or put before an error that is not the store's absence fails the item."""

MOST_PINNED = 64
"""Pictures that are fetched by their addresses at a time: a micro-batch, for strangers' servers may be slow."""
_ANY_SIZE = Size(1, 1)
"""Partners are chosen by keys, whatever the size of a picture."""
Found = TypeVar("Found")


class NotOurs(Exception):
    """The item is to be handed back: it is not begun and the worker leaves, or its lease is lost."""


class Crashed(Exception):
    """The item died in the sandbox and has tries left, or a broken sandbox failed it: it is to be given up."""

    def __init__(self, item: Item, reason: Literal["crashed", "broken"]) -> None:
        super().__init__(reason)
        self.item, self.reason = item, reason


@dataclass(frozen=True)
class Made:
    """What results say they were made by."""

    device: str
    engine_version: str


class _Held:
    """Bytes that one item holds of what the gate lets into memory."""

    def __init__(self, gate: FetchGate, content_bytes: int) -> None:
        self._gate, self._bytes = gate, content_bytes

    def add(self, content_bytes: int) -> None:
        self._gate.hold(content_bytes)
        self._bytes += content_bytes

    def release(self) -> None:
        self._gate.release(self._bytes)


class Passage:
    """Moves items from lease to outcome. What the store refuses is tried for as long as the lease is ours."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        engine: Engine,
        sandbox: Sandbox,
        leases: Leases,
        tally: Tally,
        made: Mapping[bool, Made],
        max_crashes: int,
    ) -> None:
        """made: by the engine (False), and by the sandbox (True)."""
        self._objects, self._ledger, self._companies = store, ledger, Companies(ledger)
        self._engine, self._sandbox = engine, sandbox
        self._leases, self._tally = leases, tally
        self._made, self._max_crashes = made, max_crashes
        self._porter = Porter(store.files, leases, tally) if store.files else None
        self._alone = asyncio.Lock()
        self._gate, self._pinning = FetchGate(), asyncio.Semaphore(MOST_PINNED)
        self._running: dict[tuple[UUID, int], asyncio.Future[Result]] = {}
        """By attempt."""
        self._arrivals: Arrivals[Result] = Arrivals(asyncio.get_running_loop())
        self._leaving = False

    def leave(self) -> None:
        """From now on what is not begun is not ours."""
        self._leaving = True
        for item in self._engine.withdraw():
            if (future := self._running.get(item.attempt)) and not future.done():
                future.set_exception(NotOurs())

    async def outcome(self, item: Item) -> Outcome:
        """How an item ends. Errors: NotOurs, Crashed."""
        if item.source_url:
            return await self._pinned(item)
        if self._porter and not (item.use_cache or item.suspect or most_partners(item.recipe)):
            self._check_begun(item)
            result = await self._compute(item, self._porter)
            if not isinstance(result, Unread):
                return await self._settled(result)
        async with self._gate.fetching(urgent=item.priority == "interactive"):
            self._check_begun(item)
            if item.use_cache and (copied := await self._copied(item)):
                return copied
            with self._tally.stage("fetch"):
                content = await self._fetch(item, item.source_key)
            if isinstance(content, Failed):
                return content
            self._gate.hold(len(content))
        held = _Held(self._gate, len(content))
        try:
            failpoints.hit("fetched")
            self._check_begun(item)
            result = await self._result(Work(item, content), held)
        finally:
            held.release()
        return await self._settled(result)

    async def _settled(self, result: Result) -> Outcome:
        """The outcome that a result comes to, stored. Errors: NotOurs, Crashed."""
        match result:
            case Failed():
                return result
            case Died():
                return self._died(result)
            case Ran(item, _, stored):
                made = self._made[item.suspect]
                if stored is not None:
                    return Done(item, stored, made.device, made.engine_version)
                with self._tally.stage("store"):
                    return await self._store(result, made)
            case _:
                raise AssertionError(f"no end of an item: {result}")

    async def _copied(self, item: Item) -> Done | None:
        """The item answered by copies of earlier results of the same causes; None: it is to be run. Errors: NotOurs."""
        made = self._made[item.suspect]
        try:
            with self._tally.stage("recall"):
                kept = await self._ledger.kept(item, made.engine_version)
            if kept is None:
                return None
            stored = [replace(output, object_key=output_key(item, output.variant)) for output in kept.outputs]
            with self._tally.stage("copy"):
                self._check_ours(item)
                pairs = zip(kept.outputs, stored, strict=True)
                await asyncio.gather(*(self._objects.copy(old.object_key, new.object_key) for old, new in pairs))
        except (SourceMissing, Unavailable) as error:  # deleted since, or out of reach: what is run is right in any case
            log.info("item %s is not answered by copies: %s", item.id, error)
            return None
        failpoints.hit("stored")
        self._tally.count("cached")
        return Done(item, tuple(stored), kept.device, made.engine_version, cached=True)

    async def _result(self, work: Work, held: _Held) -> Result:
        """What the engine makes of an item; with other partners where one that was chosen cannot be decoded."""
        item = work.item
        while True:
            if most_partners(item.recipe):
                completed = await self._with_partners(work, held)
                if isinstance(completed, Failed):
                    return completed
                work = completed
            result = await (self._run_alone(work) if item.suspect else self._compute(work, self._porter))
            if not isinstance(result, Lacking):
                return result
            self._companies.pass_over(item.company, result.partner)
            work = replace(work, item=result.item)  # charged by now, if it is a suspect
            self._check_ours(item)

    async def _with_partners(self, work: Work, held: _Held) -> Work | Failed:
        """The item with the bytes of the partners that it takes, those it has already kept."""
        item = work.item
        company = await self._attempt(item, lambda: self._companies.of(item.company))
        if isinstance(company, Failed):
            return company
        wanted = [Variant(item.key, variant, _ANY_SIZE) for variant in item.numbers]
        try:
            chosen = choices(item.recipe, item.seed, wanted, company.pool)
        except RecipeInvalid as error:
            return Failed(item, error.code, error.message)
        taken = [partner.key for variant in chosen for partners in variant.values() for partner in partners]
        pixels, limit = sum(company.members[key].pixels for key in taken), self._engine.max_output_pixels
        if pixels > limit:
            error_too_large = WorkTooLarge(pixels, limit)
            return Failed(item, error_too_large.code, error_too_large.message)
        guests = dict(work.guests)
        async with self._gate.more(urgent=item.priority == "interactive") as room:
            for key in dict.fromkeys(taken):
                if key in guests:
                    continue
                member = company.members[key]
                await room()
                self._check_begun(item)
                with self._tally.stage("fetch"):
                    content = await self._fetch(item, member.source_key)
                if isinstance(content, Failed):
                    return replace(content, detail=f"its partner {member.name}: {content.detail}")
                held.add(len(content))
                guests[key] = Guest(member, content)
        return replace(work, pool=company.pool, guests=guests)

    async def _pinned(self, item: Item) -> Failed:
        """The end of an item whose picture cannot be had. Errors: NotOurs when it is stored: another lease will run it."""
        async with self._pinning:
            self._check_begun(item)
            with self._tally.stage("pin"):
                failed = await self._attempt(item, lambda: self._ledger.pin(item))
        if failed is None:
            raise NotOurs
        return failed

    async def _fetch(self, item: Item, source_key: str) -> bytes | Failed:
        return await self._attempt(item, lambda: self._objects.get(source_key))

    async def _attempt(self, item: Item, get: Callable[[], Awaitable[Found]]) -> Found | Failed:
        """What `get` gives, tried for as long as the lease is ours while store or database do not answer."""
        odd = 0
        for pause_s in back_off():
            try:
                return await get()
            except (SourceMissing, ResourceExhausted, InputError) as error:
                return Failed(item, error.code, error.message)
            except Unavailable as error:
                log.warning("cannot fetch: %s", error)
            except Exception:
                log.exception("fetching what item %s needs failed", item.id)
                odd += 1
                if odd >= ODD_ERRORS:
                    return Failed(item, Internal.code, Internal().message)
            self._check_ours(item)
            await asyncio.sleep(pause_s)
        raise AssertionError("back_off never ends")

    async def _run_alone(self, work: Work) -> Result:
        """A suspect, in the sandbox, when it is its turn; its crash is charged before it begins."""
        async with self._alone:
            self._check_begun(work.item)
            charged = await self._charge(work.item)
            self._tally.count("suspects")
            with self._tally.stage("sandbox"):
                return await asyncio.to_thread(self._sandbox.run, replace(work, item=charged))

    async def _charge(self, item: Item) -> Item:
        if item.charged:
            return item
        charged = await self._attempt(item, lambda: self._ledger.charge(item))
        if not isinstance(charged, Item):
            raise NotOurs
        self._leases.change(charged)
        return charged

    def _died(self, died: Died) -> Failed:
        """What becomes of an item that killed its process: given up for good at its budget. Errors: Crashed, NotOurs."""
        if self._leaving:
            raise NotOurs
        item = died.item
        if not died.to_blame:
            log.error("%s", died.reason)
            raise Crashed(replace(item, crashes=item.crashes - item.charged, charged=False), "broken")
        if not item.suspect:  # in the sandbox to be decoded only, so nothing was charged beforehand
            item = replace(item, crashes=item.crashes + 1)
        log.warning("item %s killed the process of the sandbox that ran it: %s", item.id, died.reason)
        if item.crashes < self._max_crashes:
            raise Crashed(item, "crashed")
        error = Poison(died.reason)
        return Failed(item, error.code, error.message)

    async def _compute(self, given: Work | Item, porter: Porter | None) -> Result:
        """What the engine makes of an item, which comes with its bytes or is fetched by the porter."""
        item = given.item if isinstance(given, Work) else given
        future = self._running[item.attempt] = self._arrivals.expected()

        def done(result: Result) -> None:
            # others of its kind that wait for a thread will be done in a moment: results go to the loop together
            self._arrivals.put(future, result, hurried=not self._engine.more_soon(item))

        if isinstance(given, Work):
            self._engine.submit(given, done, porter)
        else:
            assert porter is not None  # or there would be bytes
            self._engine.submit_unread(given, done, porter)
        try:
            return await future
        finally:
            del self._running[item.attempt]

    async def _store(self, ran: Ran, made: Made) -> Outcome:
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
        return Done(item, tuple(stored), made.device, made.engine_version)

    async def _put(self, item: Item, output: Encoded) -> Stored:
        key = output_key(item, output.variant)
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
        return placed_at(key, output)

    def _check_begun(self, item: Item) -> None:
        """What is not begun when the worker leaves is handed back."""
        if self._leaving:
            raise NotOurs
        self._check_ours(item)

    def _check_ours(self, item: Item) -> None:
        if not self._leases.ours(item, time.monotonic()):
            raise NotOurs
