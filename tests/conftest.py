"""Real servers for tests: PostgreSQL and Valkey started once, a fresh database and an empty Redis for each test.

Once for each process of pytest, that is: processes that run side by side share nothing.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from redis.asyncio import Redis

from service.settings import Settings
from service.system.embedded import create_database, postgres_server, remove_socket_folder, valkey_server
from service.truth.migrations import migrate
from tests.helpers.nursery import nursery
from tests.helpers.stack import Stack, running

_numbers = itertools.count(1)
os.environ.setdefault("BENCH_PATIENCE_S", "0")  # tests of benchmarks measure nothing that counts
# one folder of compiled kernels for this process and all that tests start
for _name in ("NUMBA_CACHE_DIR", "TRITON_CACHE_DIR"):
    os.environ.setdefault(_name, str(Path(__file__).parents[1] / ".pytest_cache" / "kernels"))


@pytest.fixture(scope="session")
def compiled_kernels() -> None:
    """Kernels compiled before the first worker starts, so that no test's waiting includes a compiler's seconds."""
    nursery()


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("servers")
    yield folder
    remove_socket_folder(folder)


@pytest.fixture(scope="session")
def postgres_url(servers_folder: Path) -> Iterator[str]:
    """A running PostgreSQL without durability, its main database migrated: the template of every test's own."""
    server = postgres_server(servers_folder, durable=False)
    child = server.start()
    try:
        create_database(server.url)
        migrate(server.url)
        yield server.url
    finally:
        child.stop()


@pytest.fixture(scope="session")
def redis_url(servers_folder: Path, compiled_kernels: None) -> Iterator[str]:
    """A running Valkey; tests that use it directly want `redis_client`, which empties it first."""
    server = valkey_server(servers_folder)
    child = server.start()
    try:
        yield server.url
    finally:
        child.stop()


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A database of this test alone, migrated and empty."""
    with _fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Redis."""
    client = Redis.from_url(redis_url, socket_timeout=30)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    """Settings of a small, quick system: own database, emptied Redis, store in a folder of the test, leases of 2 s."""
    _empty(redis_url)
    return _small_system(tmp_path, database_url, redis_url)


@pytest.fixture(scope="module")
def shared_settings(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, redis_url: str) -> Iterator[Settings]:
    """As `settings`, but one database and store for all tests of a file."""
    _empty(redis_url)
    with _fresh_database(postgres_url) as url:
        yield _small_system(tmp_path_factory.mktemp("shared"), url, redis_url)


@pytest.fixture(scope="module")
def shared_stack(shared_settings: Settings) -> Iterator[Stack]:
    """API on a free port, one worker and the reconciler, as processes: for tests that break nothing, and live together."""
    with running(shared_settings) as started:
        yield started


@contextmanager
def _fresh_database(postgres_url: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(_libpq(_named(postgres_url, "postgres")), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE augment STRATEGY file_copy'.encode())
        try:
            yield _named(postgres_url, name)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _small_system(folder: Path, database_url: str, redis_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        store_url=(folder / "store").as_uri(),
        data=folder / "data",
        device="cpu",
        threads=1,
        lease_s=2.0,
        linger_s=0.5,
        slice_s=10.0,
        drain_s=5.0,
        reconcile_s=0.25,
        log_level="warning",
        output_cache=False,  # what tests compare must have been computed each time
    )


def _named(url: str, database: str) -> str:
    return url.replace("/augment?", f"/{database}?", 1)


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _empty(url: str) -> None:
    from redis import Redis as Blocking

    with Blocking.from_url(url) as client:
        client.flushall()
