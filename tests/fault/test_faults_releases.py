"""Fault F25: releases change under load. There is one source tree, so the other release is played: a schema that has more
than this one knows, entries and notices with more in them, and workers whose results are another engine's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import psycopg
import pytest
from redis import Redis

from service.truth.migrations import MigrationFailed, migrate
from tests.helpers.faults import altered
from tests.helpers.faults.system import System, trial

pytestmark = pytest.mark.timeout(300)
LATER = (
    "ALTER TABLE batches ADD COLUMN later jsonb NOT NULL DEFAULT '{}'",
    "ALTER TABLE items ADD COLUMN later text",
    "ALTER TABLE outputs ADD COLUMN later bigint NOT NULL DEFAULT 7",
    "ALTER TABLE state_log ADD COLUMN later text",
    "CREATE TABLE later (id bigint PRIMARY KEY)",
    "UPDATE alembic_version SET version_num = 'later'",
)
"""What the next release's migration may do while this one works on."""


@contextmanager
def later_schema(system: System) -> Iterator[None]:
    """The database as a later release has made it; in the end as it was."""
    url = system.database_url.replace("postgresql+psycopg", "postgresql", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        [(before,)] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        connection.execute("SET lock_timeout = '10s'")
        for sql in LATER:
            connection.execute(sql.encode())
        try:
            yield
        finally:
            connection.execute("UPDATE alembic_version SET version_num = %s", (before,))
            for table in ("batches", "items", "outputs", "state_log"):
                connection.execute(f"ALTER TABLE {table} DROP COLUMN later".encode())
            connection.execute("DROP TABLE later")


def add_to_entries(redis: Redis) -> int:
    """Puts what waits into its lane again, as a release would that writes one field more; says how many entries."""
    added = 0
    for lane in cast(list[bytes], redis.keys("lane:*")):
        for entry, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], redis.xrange(lane)):
            redis.xadd(lane, {**fields, b"later": b"1"})  # type: ignore[arg-type]  # bytes are fine
            redis.xdel(lane, entry)
            added += 1
    return added


NOTICES = ('{"items": [], "batches": [], "later": [1]}', '{"later": 1}', "another form")


def say_more(redis: Redis) -> int:
    """Sends the API what a release may publish that says more, or in another way; says how often it was heard."""
    [channel] = cast(list[bytes], redis.pubsub_channels("api:*"))
    return sum(cast(int, redis.publish(channel, notice)) for notice in NOTICES)


def test_f25_the_schema_is_a_later_releases(system: System, attempt: int) -> None:
    """What runs goes on, and what starts again does too: a deploy may be half done, or taken back."""
    system.start()
    with trial(system, "F25", "a later release's schema and entries") as run, later_schema(system):
        system.pause_workers()
        load = run.load(batches=4)
        with Redis.from_url(system.redis_url) as redis:
            system.wait_for(lambda: system.entries() > 12, what="the hand-off")
            run.hit(add_to_entries(redis), "nothing was waiting")
            heard = say_more(redis)
        system.resume_workers()
        with pytest.raises(MigrationFailed, match="another release"):
            migrate(system.database_url)
        system.kill(system.api)
        system.kill(system.reconciler)
        system.start()
        system.add_worker()
        load.join(60)
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 60, "every item's end")
        assert heard == len(NOTICES), "the API did not listen"


def test_f25_workers_of_two_releases(system: System, attempt: int) -> None:
    """They share batches, and each result says whose it is."""
    system.start()
    with trial(system, "F25", "workers of two releases") as run:
        load, _ = run.load_on_one(4, "stored=sleep:0.05", before=partial(altered.release, "another-release"))
        run.wait_for_leases()
        system.resume_workers()
        load.join(60)
        ids = [wanted.batch_id for wanted in run.history.expected]
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 60, "every item's end")
        sql = "SELECT DISTINCT engine_version AS version FROM outputs WHERE batch_id = ANY(%(ids)s::uuid[])"
        versions = {row["version"] for row in system.rows(sql, ids=ids)}
        run.hit_in_time(len(versions) == 2 and "another-release" in versions, f"results are of {versions}")
    system.drop_workers()


@pytest.mark.long
def test_f25_a_migration_runs_beside_the_work(system: System, attempt: int) -> None:
    """Every process of a deploy may run it: all but the first find nothing to do, and nobody is kept waiting."""
    system.start()
    with trial(system, "F25", "migrations run under load") as run:
        load = run.load(batches=6)
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") > 0, what="work in hand")
        migrators = [threading.Thread(target=migrate, args=(system.database_url,)) for _ in range(3)]
        for migrator in migrators:
            migrator.start()
        for migrator in migrators:
            migrator.join(60)
        run.hit_in_time(load.acked > 0, "nothing was under way")
        load.join(60)
