"""Micro-batches are real: a thousand small pictures make tens of them, few statements each, and a handful of RQ jobs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from service.settings import Settings
from tests.helpers.http import jpeg, submit
from tests.helpers.stack import running

PICTURES = 1000


@contextmanager
def statements_logged(database_url: str, log: Path) -> Iterator[Counter[tuple[str, str]]]:
    """Counts, when it ends, the statements that PostgreSQL executed by (application, first words)."""
    url = database_url.replace("postgresql+psycopg", "postgresql", 1)
    counts: Counter[tuple[str, str]] = Counter()
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT current_database()").fetchone()
        assert found is not None
        database = str(found[0])
        connection.execute("ALTER SYSTEM SET log_line_prefix = '~%d|%a|'")
        connection.execute(f"ALTER DATABASE \"{database}\" SET log_statement = 'all'".encode())
        connection.execute("SELECT pg_reload_conf()")
        begin = log.stat().st_size
        try:
            yield counts
        finally:
            connection.execute("ALTER SYSTEM RESET log_line_prefix")
            connection.execute(f'ALTER DATABASE "{database}" RESET log_statement'.encode())
            connection.execute("SELECT pg_reload_conf()")
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode("utf-8", "replace")
    line = rf"^~{re.escape(database)}\|([^|]*)\|LOG:  (?:statement|execute [^:]*): \s*(\S+(?:[ \t]+\S+){{0,4}})"
    for application, words in re.findall(line, text, re.MULTILINE):
        counts[(application, " ".join(words.split()))] += 1


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    with Redis.from_url(settings.redis_url, decode_responses=True) as client:
        yield client


def facts(redis: Redis) -> Counter[str]:
    """What all workers count of themselves, added up."""
    total: Counter[str] = Counter()
    for key in redis.scan_iter("worker:*"):
        total.update({name: int(value) for name, value in redis.hgetall(key).items() if str(value).isdecimal()})
    return total


def test_a_thousand_small_pictures(settings: Settings, servers_folder: Path, redis: Redis) -> None:
    pictures = {f"{number:04}.jpg": jpeg(32, 32, seed=number) for number in range(PICTURES)}
    settings = settings.model_copy(update={"lease_s": 30.0, "linger_s": 2.0, "slice_s": 60.0})
    with running(settings) as stack:
        with statements_logged(settings.database_url, servers_folder / "logs" / "postgres.log") as statements:
            view = submit(stack.client, pictures, [{"op": "hflip"}, {"op": "invert"}])
            final = stack.batch(view["id"])
            assert final["counts"]["succeeded"] == PICTURES
            stack.wait_for(lambda: facts(redis)["outcome:succeeded"] == PICTURES, what="the worker's last report")
        told = facts(redis)
    by_worker = {words: count for (application, words), count in statements.items() if application == "augment-worker"}
    micro_batches = sum(count for name, count in told.items() if name.startswith("micro_batch_items:"))
    counted = f"{micro_batches} micro-batches, {told['jobs']} RQ jobs, statements of the worker: {by_worker}"
    assert PICTURES / settings.micro_batch_items <= micro_batches <= 60, counted
    assert 1 <= told["jobs"] <= 5, counted
    # at least a lease for each, or the log was not read
    assert micro_batches <= sum(by_worker.values()) <= 4 * micro_batches, counted
