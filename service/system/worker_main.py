"""One worker process: `batching.worker` with the ledger in PostgreSQL and the object store. The supervisor starts it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from batching.items import Budget
from batching.ledger import Ledger, Store
from batching.threads import switch_often
from batching.worker import WorkerConfig, run_worker
from kernels.codec import Limits
from kernels.codec.gpu import GpuCodecs
from kernels.errors import DeviceLost
from service.references.pin import References
from service.settings import Settings, load
from service.store import open_store
from service.system.cannot_start import CannotStart
from service.telemetry import configure_logging
from service.truth.database import make_engine
from service.truth.ledger import SqlLedger
from service.truth.output_cache import OutputCache

_CONNECTIONS = 4
"""Of one loop: leases, finishes and what runs beside them; the heartbeat's loop has its own."""


def config_of(settings: Settings, beats: int | None = None, sandbox: int | None = None) -> WorkerConfig:
    """What the worker is told of the settings; beats, sandbox: see `WorkerConfig.beats` and `kept_sandbox`."""
    return WorkerConfig(
        redis_url=settings.redis_url,
        device=settings.device,
        threads=settings.threads,
        budget=Budget(cost_pixels=settings.micro_batch_pixels, items=settings.micro_batch_items),
        limits=Limits(settings.max_image_bytes, settings.max_image_pixels, settings.max_image_side),
        codecs=GpuCodecs(jpeg=settings.jpeg_decoder),
        max_output_pixels=settings.max_output_pixels,
        lease_s=settings.lease_s,
        slice_s=settings.slice_s,
        linger_s=settings.linger_s,
        drain_s=settings.drain_s,
        item_timeout_s=settings.item_timeout_s,
        sandbox=settings.sandbox,
        sandbox_bytes=settings.sandbox_bytes,
        kept_sandbox=sandbox,
        max_crashes=settings.max_crashes,
        beats=beats,
        failpoints=settings.failpoints,
    )


def run(settings: Settings, beats: int | None = None, sandbox: int | None = None) -> int:
    """Works until SIGTERM or SIGINT; the exit code."""

    def make_ledger() -> AbstractAsyncContextManager[Ledger]:
        return open_ledger(settings)

    def make_store() -> AbstractAsyncContextManager[Store]:
        return _store(settings)

    return run_worker(config_of(settings, beats, sandbox), make_ledger, make_store)


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The ledger in PostgreSQL, with connections of its own."""
    engine = make_engine(
        settings.database_url, application_name="augment-worker", pool_size=_CONNECTIONS, overflow=0, planned_once=True
    )
    try:
        pin = References(engine, open_store(settings), settings).pin if settings.url_sources else None
        cache = OutputCache(engine, settings.output_cache_days) if settings.output_cache else None
        yield SqlLedger(engine, settings.lease_s, pin, cache)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    yield open_store(settings)


def main() -> None:
    """`python -m service.system.worker_main [--sandbox=DOOR] [BEATS]`: settings from the environment; descriptors, to the
    sandbox that is kept for all workers and to beat on.
    """
    parser = ArgumentParser()
    parser.add_argument("--sandbox", type=int)
    parser.add_argument("beats", type=int, nargs="?")
    given = parser.parse_args()
    try:
        settings = load()
    except CannotStart as error:
        sys.exit(f"augment worker: {error}")
    configure_logging(settings.log_format, settings.log_level)
    switch_often()
    try:
        status = run(settings, given.beats, given.sandbox)
    except DeviceLost as error:
        sys.exit(f"augment worker: {error.message}")
    sys.exit(status)


if __name__ == "__main__":
    main()
