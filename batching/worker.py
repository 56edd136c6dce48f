"""The worker process: an RQ worker without fork in the main thread, one loop thread for I/O, a heartbeat, an engine.

    code = run_worker(WorkerConfig(redis_url=..., ...), make_ledger, make_store)     # blocks; then sys.exit(code)

make_ledger() and make_store() give asynchronous context managers of a `Ledger` and a `Store` (`batching/ledger.py`). They
are entered on the event loop that uses them: the ledger twice, by the loop thread and by the heartbeat, each with
connections of its own; the store once. Entering should not need a server that answers; if it does and fails, it is tried
again. Call it in the main thread of a process of its own: it sets signal handlers and knows how to leave.

Exit codes: 0 after SIGTERM or SIGINT and a drain; 70 the device is lost; 75 an item or the loop thread hung, or
results are no longer committed. After the others than 0 the supervisor starts the process again; what it held is handed
back or lapses.

An RQ job (`serve`) carries no work. It wakes the worker, which then serves all lanes until they stay empty or its time
slice is over; so a handful of jobs serves thousands of items, and losing one loses nothing.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import redis
import torch
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from batching import failpoints
from batching.config import WorkerConfig
from batching.device import choose
from batching.engine import Engine
from batching.execute import Decode, decoder
from batching.heartbeat import LedgerFactory
from batching.life import EngineFactory, Life, StoreFactory
from batching.retries import back_off
from batching.wake import enqueue_serve, queue_of
from kernels.codec.gpu import trusted

log = logging.getLogger(__name__)
DequeueAnswer = tuple[Job, Queue] | None

__all__ = ["LedgerFactory", "ServeWorker", "StoreFactory", "WorkerConfig", "run_worker", "serve"]

IDLE_S = 1
"""How long the main thread waits for an RQ job before it looks whether the process is to leave."""
_ENDING = (signal.SIG_DFL, signal.default_int_handler)
"""Handlers that end a process at once."""
_lives: dict[str, Life] = {}
"""The worker of this process by name: RQ finds `serve` by its path and calls it with JSON only."""


def serve(worker: str) -> None:
    """The RQ job: serves all lanes until they stay empty, or for one time slice and then enqueues itself again."""
    life = _lives[worker]
    if life.serve():
        enqueue_serve(life.blocking, worker)


class ServeWorker(SimpleWorker):
    """RQ's worker that runs jobs in its own process, because CUDA does not survive a fork.

    Stopping is a flag: RQ's own handlers raise from wherever the main thread is, in the middle of a transaction too.
    """

    max_connection_wait_time = 2.0

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> DequeueAnswer:
        """The next job, or None once the worker is to stop."""
        while not self._stop_requested:
            found: DequeueAnswer = super().dequeue_job_and_maintain_ttl(IDLE_S, IDLE_S)
            if found is not None:
                return found
        return None

    def subscribe(self) -> None:
        """Nothing: RQ's remote commands could only stop or kill what the supervisor looks after."""

    def unsubscribe(self) -> None:
        """Nothing, as nothing is subscribed to."""

    def _install_signal_handlers(self) -> None:
        """Nothing: the process has its handlers already."""

    def stop(self) -> None:
        """Makes `work` return after the job that runs now."""
        self._stop_requested = True


def run_worker(
    config: WorkerConfig,
    make_ledger: LedgerFactory,
    make_store: StoreFactory,
    make_decode: Callable[[], Decode] | None = None,
    make_engine: EngineFactory = Engine,
) -> int:
    """Works until a signal asks it to leave; the exit code.

    make_decode replaces the decoder of `kernels.codec`, make_engine what turns items into results.
    """
    failpoints.arm(failpoints.parse(config.failpoints))
    torch.set_num_threads(1)
    name = config.name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    on_gpu = None if config.sandbox == "always" else trusted(config.codecs, choose(config.device))
    decode = make_decode() if make_decode is not None else decoder(config.limits, config.codecs, on_gpu)
    codec = "cpu" if on_gpu is None else on_gpu.name
    life = Life(name, config, make_ledger, make_store, decode, _leave, codec, make_engine)
    _lives[name] = life
    worker_box: list[ServeWorker] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        life.begin_drain()
        for worker in worker_box:
            worker.stop()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        life.start()
        gc.collect()
        gc.freeze()  # what libraries brought along stays: to look it through again takes 0.2 s, in which nothing else runs
        _work_until_drained(life, worker_box)
        left_over = not life.end()
    finally:
        for number, handler in previous.items():
            # the process is about to end: asked once more, it is not to end in another way
            signal.signal(number, signal.SIG_IGN if handler in _ENDING else handler)
        del _lives[name]
    if left_over:
        _leave(0, "a thread of the engine is still in native code")
    return 0


def _work_until_drained(life: Life, worker_box: list[ServeWorker]) -> None:
    """RQ's loop, begun again whenever it ends: it gives up at the first time-out or error of Redis."""
    pauses = back_off()
    while not life.draining:
        began_s = time.monotonic()
        try:
            worker = ServeWorker(
                [queue_of(life.name, life.blocking)],
                name=life.name,
                connection=life.blocking,
                serializer=JSONSerializer,
                default_result_ttl=0,
                maintenance_interval=60,
                worker_ttl=16,
                log_job_description=False,
            )
            life.blocking.delete(worker.key, f"job:{life.name}")
            worker_box[:] = [worker]
            if not life.draining:
                worker.work(logging_level="WARNING")
        except redis.RedisError as error:
            log.warning("RQ cannot reach Redis: %s", error)
        except Exception:
            log.exception("RQ's loop ended")
        if time.monotonic() - began_s > 5:
            pauses = back_off()
        if not life.draining:
            time.sleep(next(pauses))


def _leave(code: int, reason: str) -> None:
    """Ends the process at once: what hangs in native code cannot be ended in any other way."""
    log.error("leaving with code %d: %s", code, reason)
    logging.shutdown()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
