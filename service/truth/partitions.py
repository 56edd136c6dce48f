"""Partitions: items and outputs lie in one partition for each day, found by the time that is in their ids.

A UUIDv7 begins with its milliseconds, so a range of ids is a range of time, and a partition that is a range of ids keeps
the id alone as its key. The ids of a batch's items carry the batch's millisecond, and those of outputs their item's: all
rows of a batch lie in the partition of its day. Statements say between which ids they look, and so touch no other one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from service.truth.database import AsyncEngine, DatabaseUnavailable, DataRefused, Row, fetch, statement, transaction

log = logging.getLogger(__name__)

DAYS_AHEAD = 7
PARTITIONED = ("items", "outputs")
DAY_MS = 86_400_000
LONGEST_WAIT = "SET LOCAL lock_timeout = '2s'"
"""For a lock on a whole table: all that come after wait behind who waits for it."""

LOCK = 0x6175_676D_0003
"""Advisory lock of whoever makes a partition: two that make the same one at once would collide."""

EVERYTHING = {"low": UUID(int=0), "high": UUID(int=(1 << 128) - 1)}
"""Bounds that leave nothing out."""

_THERE = """
SELECT c.relname AS name FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
WHERE h.inhparent IN ('items'::regclass, 'outputs'::regclass) ORDER BY c.relname
"""
_MAKE = "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ('{low}') TO ('{high}')"


def bounds(ids: Collection[UUID]) -> dict[str, UUID]:
    """`low` and `high`, between which these ids are."""
    return {"low": min(ids), "high": max(ids)} if ids else {"low": EVERYTHING["high"], "high": EVERYTHING["low"]}


def bounds_of(identity: UUID) -> dict[str, UUID]:
    """`low` and `high`, between which the items of a batch are, by the batch's id, and the item of an output, by its id.

    They carry the same millisecond. Those of the first databases were made up to a day after their batch.
    """
    moment = identity.int >> 80
    # the last ids, which anybody may ask for, have no day behind them
    high = min((moment + DAY_MS) << 80, EVERYTHING["high"].int)
    return {"low": UUID(int=moment << 80), "high": UUID(int=high)}


async def of_output(run: Callable[[dict[str, UUID]], Awaitable[list[Row]]], output_id: UUID) -> list[Row]:
    """What a statement finds by an output's id: where its id says that it is, and everywhere if it is not there.

    Only ids of the first databases are elsewhere, and those that do not exist.
    """
    return await run(bounds_of(output_id)) or await run(EVERYTHING)


def first_id(day: date) -> UUID:
    """The least id of a day (UTC)."""
    moment = round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    return UUID(int=moment << 80)


def name_of(table: str, day: date) -> str:
    """The partition of a day."""
    return f"{table}_{day:%Y%m%d}"


async def make_ahead(engine: AsyncEngine, today: date, days: int = DAYS_AHEAD) -> int:
    """Makes the partitions of `today` and the days after it that are missing; says how many.

    A day whose first rows came before its partition stays in the default partition, where every row is that has no other.
    Errors: DatabaseUnavailable, where somebody holds a table for longer than is waited.
    """
    there = {row["name"] for row in await statement(engine, _THERE, {})}
    made = 0
    for ahead in range(days + 1):
        day = today + timedelta(days=ahead)
        for table in PARTITIONED:
            if (name := name_of(table, day)) in there:
                continue
            low, high = first_id(day), first_id(day + timedelta(days=1))
            try:
                async with transaction(engine) as connection:
                    await fetch(connection, LONGEST_WAIT, {})
                    await fetch(connection, "SELECT pg_advisory_xact_lock(:lock)", {"lock": LOCK})
                    await fetch(connection, _MAKE.format(name=name, table=table, low=low, high=high), {})
            except DataRefused:
                log.info("%s of %s are in the default partition already, and stay there", table, day)
            else:
                made += 1
    return made


async def drop_empty(engine: AsyncEngine, before: date) -> int:
    """Drops the partitions of days before that which hold nothing any more; says how many."""
    latest = {table: name_of(table, before) for table in PARTITIONED}
    dropped = 0
    for row in await statement(engine, _THERE, {}):
        table, _, day = row["name"].partition("_")
        if not day.isdecimal() or row["name"] >= latest[table] or await _holds(engine, row["name"]):
            continue
        try:
            async with transaction(engine) as connection:
                await fetch(connection, LONGEST_WAIT, {})
                await fetch(connection, f"LOCK TABLE {row['name']} IN ACCESS EXCLUSIVE MODE", {})
                if not await fetch(connection, _ANY.format(name=row["name"]), {}):  # nobody can write to it any more
                    await fetch(connection, f"DROP TABLE {row['name']}", {})
                    dropped += 1
        except DatabaseUnavailable as error:
            log.info("%s is in use: %s", row["name"], error)
    return dropped


async def day_exists(engine: AsyncEngine, day: date) -> bool:
    """Whether a day has partitions of its own."""
    there = {row["name"] for row in await statement(engine, _THERE, {})}
    return all(name_of(table, day) in there for table in PARTITIONED)


async def drop_day(engine: AsyncEngine, day: date) -> None:
    """Drops the partitions of a day with all their rows, and takes their bytes off what their tenants have stored.

    Nobody may need any of them. All of it happens, or nothing. Errors: DatabaseUnavailable, where somebody holds a table
    for longer than is waited.
    """
    items, outputs = (name_of(table, day) for table in PARTITIONED)
    async with transaction(engine) as connection:
        await fetch(connection, LONGEST_WAIT, {})
        await fetch(connection, "SET LOCAL enable_seqscan = on", {})
        await fetch(connection, f"LOCK TABLE {outputs}, {items} IN SHARE ROW EXCLUSIVE MODE", {})  # as counted, so dropped
        stored = await fetch(connection, _STORED.format(items=items, outputs=outputs), {})
        await fetch(connection, f"DROP TABLE {outputs}, {items}", {})
        for row in stored:  # counters last, in the order in which everybody takes them
            await fetch(connection, _TAKE_OFF, {"tenant": row["tenant"], "bytes": -int(row["bytes"])})


_STORED = """
SELECT tenant, sum(bytes) AS bytes FROM (
  SELECT tenant, source_bytes AS bytes FROM {items} UNION ALL SELECT tenant, bytes FROM {outputs}
) AS stored GROUP BY tenant ORDER BY tenant
"""
_TAKE_OFF = "SELECT meter(:tenant, 0, 0, 0, :bytes)"
"""What the triggers do where rows are deleted: dropping a table fires none."""

_ANY = "SELECT 1 AS any FROM {name} LIMIT 1"


async def _holds(engine: AsyncEngine, name: str) -> bool:
    return bool(await statement(engine, _ANY.format(name=name), {}))
