"""Life: the threads of a worker process beside the main one, from `start` to `end`."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress

import uvloop

from batching.bells import BELL_S
from batching.config import WorkerConfig
from batching.device import CPU, choose, described
from batching.engine import Engine, EngineConfig
from batching.execute import Decode
from batching.farewell import Farewell
from batching.heartbeat import Heartbeat, LedgerFactory
from batching.items import Item
from batching.lanes import LANES_DOWN, Lanes, connect
from batching.leases import Leases
from batching.ledger import Store
from batching.passage import Made
from batching.retries import back_off
from batching.sandbox.sandbox import Sandbox, SandboxConfig
from batching.serving import LAST_WORDS_S, ServeConfig, Server, Tools
from batching.telemetry import Tally
from batching.wake import blocking_client, forget_queue
from kernels.errors import DeviceLost
from kernels.run import warm
from kernels.version import engine_version

log = logging.getLogger(__name__)
StoreFactory = Callable[[], AbstractAsyncContextManager[Store]]
EngineFactory = Callable[[EngineConfig, Decode, Tally, Callable[[DeviceLost], None]], Engine]

DEVICE_LOST, HUNG = 70, 75
HUNG_GRACE_S = 15.0
"""Beyond the item's own time limit, which is looked at between variants."""
STILL_BEATS = 15
"""Announcements of the heartbeat, one in two seconds, without a turn of the loop thread, after which it hangs."""


class Life:
    """One worker's loop thread, engine and heartbeat. `leave(code, reason)` ends the process; `codec` names the decoder."""

    def __init__(
        self,
        name: str,
        config: WorkerConfig,
        make_ledger: LedgerFactory,
        make_store: StoreFactory,
        decode: Decode,
        leave: Callable[[int, str], None],
        codec: str = "cpu",
        make_engine: EngineFactory = Engine,
    ) -> None:
        self.name, self._config, self._codec = name, config, codec
        self._make_ledger, self._make_store, self._leave = make_ledger, make_store, leave
        self.blocking = blocking_client(config.redis_url)
        """The main thread's client, which RQ uses too."""
        self.draining = False
        self._device = choose(config.device)
        self._tally, self._leases = Tally(), Leases(config.lease_s)
        engine = EngineConfig(
            device=self._device,
            layout="whole" if self._device.type == "cpu" else "stages",
            threads=config.engine_threads,
            budget=config.budget,
            max_output_pixels=config.max_output_pixels,
            item_timeout_s=config.item_timeout_s,
        )
        self._sandbox = Sandbox(
            SandboxConfig(
                config.limits,
                config.max_output_pixels,
                config.item_timeout_s,
                config.sandbox_bytes,
                config.failpoints,
                config.kept_sandbox,
            )
        )
        decode = decode if config.sandbox == "suspects" else self._sandbox.decode
        self._engine = make_engine(engine, decode, self._tally, self._device_lost)
        self._heartbeat = Heartbeat(
            name,
            config.redis_url,
            make_ledger,
            self._leases,
            config.lease_s,
            self._tally,
            self._facts,
            self._hung,
            self._leave_hung,
            config.beats,
        )
        self._server: Server | None = None
        self._lanes: Lanes | None = None
        self._loop = uvloop.new_event_loop()
        self._begun, self._drained = threading.Event(), threading.Event()
        self._ending = asyncio.Event()
        self._turns, self._seen_turns, self._still_beats = 0, 0, 0
        self._thread = threading.Thread(target=self._run_loop, name="loop", daemon=True)

    def start(self) -> None:
        """Begins the threads. Returns when the loop thread is ready to serve, or when draining began before that."""
        # before anything is taken: no item may wait for a compiler
        warm(self._device)
        if self._config.sandbox == "always":
            self._sandbox.measures()
        self._thread.start()
        self._begun.wait()
        self._heartbeat.start()
        if self._config.sandbox == "suspects" and not self.draining:
            self._sandbox.prepare()  # the first suspect should not wait until it has loaded

    def serve(self) -> bool:
        """Serves on the loop thread, for one time slice at most; True: there is more to do."""
        self._tally.count("jobs")
        if self._server is None or self.draining:
            return False
        return asyncio.run_coroutine_threadsafe(self._server.serve(), self._loop).result()

    def begin_drain(self) -> None:
        """Begins to leave. May be called from a signal's handler, and more than once."""
        if not self.draining:
            self.draining = True
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._start_drain)

    def end(self) -> bool:
        """Waits for the drain and ends the threads; False if one of them is still running."""
        self._drained.wait(self._config.drain_s + 2 * LAST_WORDS_S)
        self._heartbeat.stop()
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout=5)
        with suppress(*LANES_DOWN):
            forget_queue(self.blocking, self.name)
        self.blocking.close()
        self._sandbox.close()
        return self._engine.close(timeout_s=1.0) and not self._thread.is_alive()

    def _run_loop(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        finally:
            self._begun.set()
            self._drained.set()

    async def _live(self) -> None:
        for pause_s in back_off():
            try:
                async with AsyncExitStack() as stack:
                    self._server = await self._open(stack)
                    self._begun.set()
                    await self._turn_until_ending()
                    return
            except Exception as error:
                if self._begun.is_set():
                    raise
                log.warning("the worker cannot begin yet: %s", error)
            if self.draining:
                return
            await asyncio.sleep(pause_s)

    async def _open(self, stack: AsyncExitStack) -> Server:
        config = self._config
        client = await stack.enter_async_context(connect(config.redis_url))
        bells = await stack.enter_async_context(connect(config.redis_url, timeout_s=2 * BELL_S))
        ledger = await stack.enter_async_context(self._make_ledger())
        store = await stack.enter_async_context(self._make_store())
        self._lanes = Lanes(client)
        tools = Tools(
            lanes=self._lanes,
            bells=Lanes(bells),
            ledger=ledger,
            store=store,
            engine=self._engine,
            sandbox=self._sandbox,
            leases=self._leases,
            tally=self._tally,
            farewell=Farewell(self._lanes, self._tally),
        )
        serve = ServeConfig(
            worker=self.name,
            made=Made(described(self._device), engine_version(str(self._device), self._codec)),
            made_alone=Made(described(CPU), engine_version(str(CPU))),
            budget=config.budget,
            threads=config.engine_threads,
            slice_s=config.slice_s,
            linger_s=config.linger_s,
            max_crashes=config.max_crashes,
        )
        return Server(serve, tools)

    async def _turn_until_ending(self) -> None:
        while not self._ending.is_set():
            self._turns += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), 0.1)

    def _start_drain(self) -> None:
        self._drain_task = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            self._heartbeat.registered = False
            if self._server is None or self._lanes is None:
                return
            with suppress(*LANES_DOWN):
                await self._lanes.retire(self.name)
            await self._server.drain(self._config.drain_s)
            with suppress(*LANES_DOWN):
                await self._lanes.retire(self.name)
                await self._lanes.wake()
        finally:
            self._sandbox.close()
            self._drained.set()

    def _facts(self) -> dict[str, str]:
        server = {} if self._server is None else self._server.facts()
        return server | {
            "state": "draining" if self.draining else "busy" if self._server and self._server.busy else "idle",
            "pid": str(os.getpid()),
            "device": described(self._device),
            "engine_version": engine_version(str(self._device), self._codec),
            "threads": str(self._config.engine_threads),
            "announced_at": f"{time.time():.3f}",
        }

    def _hung(self) -> str | None:
        # Counted in beats, not by the clock: a process that was stopped for a while has not hung.
        self._still_beats = self._still_beats + 1 if self._turns == self._seen_turns else 0
        self._seen_turns = self._turns
        if self._begun.is_set() and self._still_beats >= STILL_BEATS:
            return "the loop thread stands still"
        if self._server is not None and self._server.dead:
            return "results are no longer committed"
        if self._engine.overdue(self._config.item_timeout_s + HUNG_GRACE_S):
            return "an item hangs"
        return None

    def _leave_hung(self, reason: str) -> None:
        culprits = {item.id for item in self._engine.overdue(self._config.item_timeout_s)}
        self._leave_behind([item for item in self._leases.items() if item.id not in culprits])
        self._leave(HUNG, reason)

    def _device_lost(self, error: DeviceLost) -> None:
        self._leave_behind(self._leases.items())
        self._leave(DEVICE_LOST, error.message)

    def _leave_behind(self, items: list[Item]) -> None:
        """Hands items back, if the database answers at once; else their leases lapse."""
        if self._server is None or not items:
            return
        handed_back = asyncio.run_coroutine_threadsafe(self._server.abandon(items), self._loop)
        try:
            handed_back.result(timeout=LAST_WORDS_S)
        except Exception as error:
            log.warning("%d items were not handed back: %r", len(items), error)
