"""A worker process's inside, run in the test's own process over a ledger and a store in memory."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

from batching.config import WorkerConfig
from batching.execute import Decode, decoder
from batching.items import Budget, Item, LaneKey
from batching.lanes import LANES_DOWN, Lanes, open_lanes
from batching.life import Life
from batching.worker import run_worker
from kernels import codec
from kernels.codec import Limits
from kernels.recipe import Output, Recipe
from tests.helpers.ledger import MemoryLedger, MemoryStore, make_item, waiting
from tests.helpers.pictures import make_image

PNG = Output(format="png")
FLIP = Recipe.parse({"steps": [{"op": "hflip"}, {"op": "solarize"}], "output": {"format": "png"}})


@dataclass
class Rig:
    """What a test's workers share."""

    config: WorkerConfig
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    store: MemoryStore = field(default_factory=MemoryStore)
    decode: Decode = field(default_factory=lambda: decoder(Limits()))

    def submit(self, number: int, *, content: bytes | None = None, **fields: object) -> list[Item]:
        """Items in ledger and store, not yet handed off. Every picture is another one."""
        items = []
        for key in range(number):
            picture = codec.encode(make_image(16, 24, seed=len(self.store.objects)), PNG) if content is None else content
            item = make_item(picture, key=key, **{"recipe": FLIP, **fields})  # type: ignore[arg-type]  # names of make_item
            self.store.objects[item.source_key] = picture
            items.append(item)
        self.ledger.add(items)
        return items

    async def hand_off(self, lanes: Lanes, items: Sequence[Item], channel: str = "") -> None:
        """Puts items on their lanes."""
        for key in {LaneKey(item.priority, item.tenant) for item in items}:
            mine = [waiting(item, channel) for item in items if (item.priority, item.tenant) == key]
            assert await lanes.put(key, mine, window=100_000) == len(mine)

    async def until(self, done: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Waits until `done()`."""

        async def look() -> bool:
            return done()

        await eventually(look, timeout_s)

    async def until_final(self, items: Sequence[Item], timeout_s: float = 20.0) -> None:
        """Waits until every one of `items` has its outcome."""
        await self.until(lambda: all(self.ledger.outcome(item) for item in items), timeout_s)

    def run(self, scenario: Callable[[Lanes], Awaitable[None]], **changes: object) -> int:
        """Runs `run_worker` in the main thread, as a worker process does, while `scenario` runs; then the exit code.

        The worker gets SIGTERM when the scenario ends, unless that has sent it already.
        """
        failures: list[BaseException] = []

        async def play() -> None:
            async with open_lanes(self.config.redis_url) as lanes:
                await self.until_registered(lanes)
                await scenario(lanes)

        def body() -> None:
            try:
                asyncio.run(play())
            except BaseException as error:  # raised again in the test's thread
                failures.append(error)
            # again, for the first may come before the worker has set its handlers
            while not left.is_set():
                os.kill(os.getpid(), signal.SIGTERM)
                left.wait(5)

        left = threading.Event()
        thread = threading.Thread(target=body)
        # The scenario's last signal may come when the worker has gone, and must not end the tests.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
        thread.start()
        config = replace(self.config, **changes)  # type: ignore[arg-type]  # names of WorkerConfig
        try:
            code = run_worker(config, self.make_ledger, self.make_store, lambda: self.decode)
        finally:
            left.set()
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)
        if failures:
            raise failures[0]
        return code

    async def until_registered(self, lanes: Lanes, workers: int = 1) -> None:
        """Waits until that many workers are announced."""

        async def look() -> bool:
            try:
                return len(await lanes.workers()) >= workers
            except LANES_DOWN:  # the test's own server may still be starting
                return False

        await eventually(look)

    @contextmanager
    def life(self, name: str, left: Callable[[int, str], None] | None = None) -> Iterator[Life]:
        """A worker without RQ: `serve` is called by the test. `left` is called where the process would end."""
        life = Life(name, self.config, self.make_ledger, self.make_store, self.decode, left or _refuse_to_leave)
        life.start()
        try:
            yield life
        finally:
            life.begin_drain()
            life.end()

    @asynccontextmanager
    async def make_ledger(self) -> AsyncIterator[MemoryLedger]:
        yield self.ledger

    @asynccontextmanager
    async def make_store(self) -> AsyncIterator[MemoryStore]:
        yield self.store


async def eventually(look: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    """Looks until it is so; TimeoutError if it never is."""
    async with asyncio.timeout(timeout_s):
        while not await look():  # noqa: ASYNC110 - another thread or process makes it so
            await asyncio.sleep(0.005)


async def empty(lanes: Lanes) -> None:
    """Waits until no lane holds an entry."""

    async def look() -> bool:
        return not await lanes.lanes()

    await eventually(look, 5)


def make_rig(redis_url: str, **changes: object) -> Rig:
    """A rig for small quick workers on the CPU."""
    config = WorkerConfig(
        redis_url=redis_url,
        device="cpu",
        threads=2,
        budget=Budget(cost_pixels=6_400_000, items=64),
        lease_s=5.0,
        slice_s=20.0,
        linger_s=0.3,
        drain_s=5.0,
    )
    config = replace(config, **changes)  # type: ignore[arg-type]  # names of WorkerConfig
    return Rig(config, MemoryLedger(config.lease_s))


def _refuse_to_leave(code: int, reason: str) -> None:
    raise AssertionError(f"the worker would have left with {code}: {reason}")
