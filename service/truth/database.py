"""PostgreSQL: the pool of connections, transactions, single statements, and what its errors mean here."""

from __future__ import annotations

import asyncio
import random
import re
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import event, exc, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from batching.errors import LedgerUnavailable

__all__ = [
    "AsyncConnection",
    "AsyncEngine",
    "DataRefused",
    "DatabaseUnavailable",
    "as_json",
    "fetch",
    "make_engine",
    "retrying",
    "statement",
    "transaction",
    "translated",
]

Value = TypeVar("Value")
Row = Mapping[str, Any]

ATTEMPTS = 6
"""Tries of a statement that lost to another transaction, or lost its connection; the pauses add up to about 1.5 s."""
FIRST_PAUSE_S = 0.05
GIVE_UP_S = 10.0
"""No other try begins after this long."""

LOST_TO_ANOTHER = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected: nothing was written, and the same statement succeeds when run again."""
NOT_NOW = frozenset({"25006", "42501", "55P03", "57014"})
"""read_only_sql_transaction (a standby), insufficient_privilege (a role that may not make partitions), lock_not_available,
query_canceled (the statement time-out)."""
NOT_NOW_CLASSES = ("53", "58", "XX")
"""Resources (disk full, too many connections), system and internal errors."""
LOST_CLASSES = ("08", "57P")
"""Connection exceptions, and what a server that stops or starts says."""


class DatabaseUnavailable(LedgerUnavailable):
    """PostgreSQL does not answer in time, refuses connections, or lost the one that was used; repeating is safe."""


class DataRefused(Exception):
    """PostgreSQL refuses a value or a row (classes 22 and 23): the same values are refused again."""


class _LostToAnother(DatabaseUnavailable):
    """A deadlock or a serialization failure: nothing was written."""


class _LostConnection(DatabaseUnavailable):
    """There is no connection any more, or none was made: another try may find one. A time-out is not tried again."""


def normalised(url: str) -> URL:
    """The URL with the driver that this service uses; `postgres://` and `postgresql://` are taken to mean it."""
    made = make_url(url)
    if made.get_backend_name() not in ("postgres", "postgresql"):
        raise ValueError(f"DATABASE_URL must be a postgresql:// URL, not {made.drivername}://")
    return made.set(drivername="postgresql+psycopg")


def make_engine(
    url: str,
    *,
    application_name: str = "augment",
    pool_size: int = 8,
    overflow: int = 8,
    pool_timeout_s: float = 5.0,
    connect_timeout_s: int = 5,
    statement_timeout_s: float = 30.0,
    lock_timeout_s: float = 10.0,
    planned_once: bool = False,
) -> AsyncEngine:
    """A pool for one event loop; nothing is connected before the first use.

    Every connection gives up on a statement after `statement_timeout_s`, on a lock after `lock_timeout_s`, and on a
    transaction that nobody goes on with after twice the statement's time. `planned_once`: for connections that run few
    statements again and again; each is planned at its first use, whatever the values, over all partitions, which costs
    tens of milliseconds once and saves one or two each time. Which partitions it looks into is decided when it begins.
    The connection that came back last is used next, so that few of them have anything to plan.
    """
    options = {
        "statement_timeout": f"{round(statement_timeout_s * 1000)}ms",
        "lock_timeout": f"{round(lock_timeout_s * 1000)}ms",
        "idle_in_transaction_session_timeout": f"{round(statement_timeout_s * 2000)}ms",
        "timezone": "UTC",
        # Every statement finds its rows by an index; a plan that was cached while the tables were small would otherwise
        # go on reading them whole until they are next analysed.
        "enable_seqscan": "off",
        "jit": "off",
    }
    if planned_once:
        options["plan_cache_mode"] = "force_generic_plan"
    engine = create_async_engine(
        normalised(url),
        pool_size=pool_size,
        max_overflow=overflow,
        pool_timeout=pool_timeout_s,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # there is nothing to reset: what begins a transaction ends it
        isolation_level="AUTOCOMMIT",  # a statement alone needs no BEGIN; `transaction` asks for one
        connect_args={
            "application_name": application_name,
            "connect_timeout": connect_timeout_s,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            # a peer that vanished without a word (a cut cable, a paused host) is noticed after about 15 s
            "keepalives_idle": 6,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            **({"prepare_threshold": 0} if planned_once else {}),
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_dead)
    return engine


def _refuse_dead(connection: Any, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
    """Replaces an idle connection that the server has ended, at the cost of one system call and no round trip.

    Nothing is to be read from a connection at rest, unless the server said farewell, or hung up.
    """
    driver = connection.driver_connection
    if driver.closed:
        raise exc.DisconnectionError("the connection is closed")
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    if poll.poll(0):
        raise exc.DisconnectionError("the server ended the connection")


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Errors: DatabaseUnavailable (whether a commit came through is then unknown), DataRefused. Wrap it in `retrying` where
    another transaction may take the same locks in another order.
    """
    with translated():
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="READ COMMITTED")
            async with connection.begin():
                yield connection


async def statement(engine: AsyncEngine, sql: str, values: Mapping[str, object]) -> list[Row]:
    """The rows of one statement, which is a transaction of its own: one round trip, and it happens whole or not at all.

    It is run again after a deadlock and after a lost connection, so it must change nothing when it runs a second time.
    Errors: DatabaseUnavailable, DataRefused.
    """

    written = _written(sql)

    async def run() -> list[Row]:
        with translated():
            async with engine.connect() as connection:
                return await _alone(connection, written, values)

    return await retrying(run, again_when_lost=True)


async def _alone(connection: AsyncConnection, written: bytes, values: Mapping[str, object]) -> list[Row]:
    """The rows of one statement, by the driver itself: SQLAlchemy's own way to it costs as much as a short statement."""
    sync = connection.sync_connection
    assert sync is not None  # it is connected
    driver: Any = sync.connection.driver_connection
    try:
        async with driver.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(written, values)
            return await cursor.fetchall() if cursor.description else []
    except psycopg.Error:
        if driver.closed:
            await connection.invalidate()
        raise


@lru_cache(maxsize=512)
def _written(sql: str) -> bytes:
    """The statement with the driver's placeholders for `:name`, on one line: the driver remembers only short ones."""
    return re.sub(r"\s+", " ", str(text(sql).compile(dialect=_DIALECT))).strip().encode()


_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it


def as_json(rows: object) -> str:
    """Rows as a value of type jsonb, UUIDs included. DataRefused for what is no text, half of a surrogate pair say."""
    try:
        return to_json(rows).decode()
    except PydanticSerializationError as error:
        raise DataRefused(str(error)) from error


async def fetch(connection: AsyncConnection, sql: str, values: Mapping[str, object]) -> list[Row]:
    """The rows of a statement with `:name` parameters, inside the caller's transaction; [] where it returns none."""
    result = await connection.execute(text(sql), values)
    return [dict(row) for row in result.mappings()] if result.returns_rows else []


async def retrying(run: Callable[[], Awaitable[Value]], *, again_when_lost: bool = False) -> Value:
    """What `run` returns, run again after a deadlock; also after a lost connection where that changes nothing twice."""
    pause_s = FIRST_PAUSE_S
    last_s = time.monotonic() + GIVE_UP_S
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await run()
        except (_LostToAnother, _LostConnection) as error:
            if attempt == ATTEMPTS or time.monotonic() > last_s:
                raise
            if isinstance(error, _LostConnection) and not again_when_lost:
                raise
        # half of it by chance, or those that collided collide again
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        pause_s *= 2
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def translated() -> Iterator[None]:
    """Raises DatabaseUnavailable and DataRefused for what the driver raises in the block; the rest are our own mistakes."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseUnavailable("no free connection in the pool") from error
    except (exc.DBAPIError, psycopg.Error) as error:
        if (meaning := _meaning(error)) is None:
            raise
        raise meaning from error


def _meaning(error: exc.DBAPIError | psycopg.Error) -> Exception | None:
    """What an error of the driver, or SQLAlchemy's of it, means here; None: a mistake of ours."""
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    state: str = getattr(origin, "sqlstate", None) or ""
    reason = f"{state or type(origin).__name__}: {origin}"
    if state in LOST_TO_ANOTHER:
        return _LostToAnother(reason)
    if isinstance(origin, psycopg.DataError | psycopg.IntegrityError):
        return DataRefused(reason)
    gone = isinstance(origin, psycopg.OperationalError) and not state
    gone = gone or (isinstance(error, exc.DBAPIError) and error.connection_invalidated)
    if gone or state.startswith(LOST_CLASSES):
        return _LostConnection(reason)
    if state in NOT_NOW or state.startswith(NOT_NOW_CLASSES):
        return DatabaseUnavailable(reason)
    return None
