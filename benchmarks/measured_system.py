"""The system that is measured: a whole one of its own that computes every result, which is checked when it was measured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import environment_of
from service.system.own_system import OwnSystem, own_system
from service.truth.database import make_engine, statement

COMPUTES = {"AUGMENT_OUTPUT_CACHE": "0"}
"""Earlier results answer for nothing."""

USED = """
SELECT EXISTS (SELECT FROM batches WHERE use_cache) OR EXISTS (SELECT FROM items WHERE cache_key IS NOT NULL) AS used
"""


class NotComputed(Exception):
    """Results may have been copies of earlier ones: what was measured is not what it is called."""


@contextmanager
def measured_system(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[OwnSystem]:
    """As `own_system`, with the output cache off. Errors: SystemFailed, and NotComputed at the end if it was not."""
    with own_system(home, {**COMPUTES, **(environment or {})}) as system:
        yield system
        asyncio.run(check_computed(environment_of(system.pid, "api")["DATABASE_URL"]))


async def check_computed(database_url: str) -> None:
    """Nothing, where no batch was allowed to be answered from the output cache and nothing was kept for it. NotComputed."""
    engine = make_engine(database_url, application_name="augment-bench", pool_size=1)
    try:
        [row] = await statement(engine, USED, {})
    finally:
        await engine.dispose()
    if row["used"]:
        raise NotComputed("the output cache was on while this was measured")
