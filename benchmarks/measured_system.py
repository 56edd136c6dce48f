"""The system that is measured: a whole one of its own that computes every result, which is checked when it was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.processes import environment_of
from service.system.own_system import OwnSystem, own_system

COMPUTES = {"AUGMENT_OUTPUT_CACHE": "0"}
"""Earlier results answer for nothing."""


class NotComputed(Exception):
    """Results may have been copies of earlier ones: what was measured is not what it is called."""


@contextmanager
def measured_system(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[OwnSystem]:
    """As `own_system`, with the output cache off. Errors: SystemFailed, and NotComputed at the end if it was not."""
    with own_system(home, {**COMPUTES, **(environment or {})}) as system:
        yield system
        check_computed(environment_of(system.pid, "api")["DATABASE_URL"])


def check_computed(database_url: str) -> None:
    """Nothing, where no batch was allowed to be answered from the output cache and nothing was kept for it. NotComputed."""
    asked = (
        """SELECT EXISTS (SELECT FROM batches WHERE use_cache) OR EXISTS (SELECT FROM items WHERE cache_key IS NOT NULL)"""
    )
    with psycopg.connect(database_url.replace("postgresql+psycopg", "postgresql", 1), autocommit=True) as connection:
        [used] = connection.execute(asked).fetchone() or (True,)
    if used:
        raise NotComputed("the output cache was on while this was measured")
