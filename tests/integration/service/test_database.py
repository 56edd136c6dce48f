"""The pool and its errors on a real PostgreSQL: dead connections replaced, lost races run again, outages have a name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from service.truth.database import (
    AsyncEngine,
    DatabaseUnavailable,
    DataRefused,
    fetch,
    make_engine,
    normalised,
    retrying,
    statement,
    transaction,
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(
        database_url, statement_timeout_s=5, lock_timeout_s=0.5, pool_timeout_s=0.5, pool_size=4, overflow=0
    )
    await statement(engine, "CREATE TABLE numbers (id int PRIMARY KEY, value int NOT NULL)", {})
    await statement(engine, "INSERT INTO numbers SELECT i, 0 FROM generate_series(1, 10) AS i", {})
    yield engine
    await engine.dispose()


async def values(engine: AsyncEngine) -> dict[int, int]:
    return {row["id"]: row["value"] for row in await statement(engine, "SELECT * FROM numbers", {})}


async def end_connections(database_url: str) -> int:
    other = make_engine(database_url, application_name="killer", pool_size=1)
    [row] = await statement(
        other,
        """SELECT count(pg_terminate_backend(pid, 5000)) AS n FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'augment'""",
        {},
    )
    await other.dispose()
    return int(row["n"])


async def test_a_transaction_is_kept_or_undone_as_a_whole(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await fetch(connection, "UPDATE numbers SET value = 1 WHERE id = :id", {"id": 1})

    async def undone() -> None:
        async with transaction(engine) as connection:
            await fetch(connection, "UPDATE numbers SET value = 2 WHERE id = 1", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert (await values(engine))[1] == 1


async def test_idle_connections_that_the_server_ended_do_not_show(engine: AsyncEngine, database_url: str) -> None:
    """Every connection of the pool is dead; a transaction, which is not run again, still works at once."""
    await asyncio.gather(*(statement(engine, "SELECT pg_sleep(0.1)", {}) for _ in range(4)))
    assert await end_connections(database_url) >= 4
    for _ in range(4):
        async with transaction(engine) as connection:
            await fetch(connection, "UPDATE numbers SET value = value + 1 WHERE id = 1", {})
    assert (await values(engine))[1] == 4


async def test_a_connection_lost_in_a_transaction_is_unavailable(engine: AsyncEngine, database_url: str) -> None:
    async def cut() -> None:
        async with transaction(engine) as connection:
            await fetch(connection, "UPDATE numbers SET value = 1 WHERE id = 1", {})
            assert await end_connections(database_url) >= 1
            await fetch(connection, "UPDATE numbers SET value = 1 WHERE id = 2", {})

    with pytest.raises(DatabaseUnavailable):
        await cut()
    assert set((await values(engine)).values()) == {0}


async def test_no_server_is_unavailable() -> None:
    engine = make_engine("postgresql://postgres@127.0.0.1:9/x")
    with pytest.raises(DatabaseUnavailable):
        async with transaction(engine):
            pass
    started_s = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await statement(engine, "SELECT 1", {})
    assert 0.3 < time.monotonic() - started_s < 10
    await engine.dispose()


async def test_an_unknown_database_is_unavailable(database_url: str) -> None:
    engine = make_engine(database_url.replace("/test_", "/no_test_"))
    with pytest.raises(DatabaseUnavailable):
        async with transaction(engine):
            pass
    await engine.dispose()


async def test_deadlocks_are_run_again_until_both_are_done(engine: AsyncEngine) -> None:
    met = asyncio.Barrier(2)
    runs = 0

    async def both(first: int, second: int) -> None:
        async def run() -> None:
            nonlocal runs
            runs += 1
            async with transaction(engine) as connection:
                await fetch(connection, "SET LOCAL lock_timeout = '30s'", {})
                await fetch(connection, "UPDATE numbers SET value = value + 1 WHERE id = :id", {"id": first})
                if runs <= 2:
                    await met.wait()
                await fetch(connection, "UPDATE numbers SET value = value + 1 WHERE id = :id", {"id": second})

        await retrying(run)

    await asyncio.gather(both(1, 2), both(2, 1))
    assert runs == 3
    found = await values(engine)
    assert (found[1], found[2]) == (2, 2)


async def test_a_lock_that_is_held_too_long_is_unavailable(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await fetch(connection, "UPDATE numbers SET value = 1 WHERE id = 1", {})
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            async with transaction(engine) as other:
                await fetch(other, "UPDATE numbers SET value = 2 WHERE id = 1", {})
    assert (await values(engine))[1] == 1


async def test_a_statement_that_takes_too_long_is_unavailable(database_url: str) -> None:
    engine = make_engine(database_url, statement_timeout_s=0.2)
    with pytest.raises(DatabaseUnavailable, match="statement timeout"):
        async with transaction(engine) as connection:
            await fetch(connection, "SELECT pg_sleep(5)", {})
    await engine.dispose()


async def test_an_exhausted_pool_is_unavailable(engine: AsyncEngine) -> None:
    sleepers = [asyncio.create_task(statement(engine, "SELECT pg_sleep(1.5)", {})) for _ in range(4)]
    await asyncio.sleep(0.2)
    with pytest.raises(DatabaseUnavailable, match="no free connection"):
        async with transaction(engine):
            pass
    await asyncio.gather(*sleepers)


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("INSERT INTO numbers VALUES (1, CAST(:value AS int))", 1),
        ("UPDATE numbers SET value = CAST(:value AS int) WHERE id = 1", None),
        ("SELECT CAST(:value AS jsonb)", "{"),
        ("SELECT CAST(:value AS jsonb)", '"\\u0000"'),
        ("SELECT CAST(:value AS bigint)", "x"),
    ],
)
async def test_values_that_are_refused_are_told_apart(engine: AsyncEngine, sql: str, value: object) -> None:
    with pytest.raises(DataRefused):
        await statement(engine, sql, {"value": value})
    with pytest.raises(DataRefused):
        async with transaction(engine) as connection:
            await fetch(connection, sql, {"value": value})


async def test_our_own_mistakes_are_not_hidden(engine: AsyncEngine) -> None:
    with pytest.raises(Exception, match="does not exist") as caught:
        await statement(engine, "SELECT * FROM nowhere", {})
    assert not isinstance(caught.value, DatabaseUnavailable | DataRefused)


async def test_an_abandoned_call_leaves_the_pool_whole(engine: AsyncEngine) -> None:
    for _ in range(8):
        task = asyncio.create_task(statement(engine, "SELECT pg_sleep(2)", {}))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(await values(engine)) == 10


async def test_sessions_carry_their_name_and_limits(engine: AsyncEngine) -> None:
    [row] = await statement(
        engine,
        """SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS statement,
                  current_setting('lock_timeout') AS lock, current_setting('timezone') AS zone""",
        {},
    )
    assert dict(row) == {"name": "augment", "statement": "5s", "lock": "500ms", "zone": "UTC"}


@pytest.mark.parametrize(
    "url", ["postgres://h/x", "postgresql://h/x", "postgresql+psycopg://h/x", "postgresql+asyncpg://h/x"]
)
def test_every_postgresql_url_means_this_driver(url: str) -> None:
    try:
        assert normalised(url).drivername == "postgresql+psycopg"
    except ValueError:
        pytest.fail(f"{url} was refused")


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        normalised("mysql://h/x")
