"""One database and store for all tests of a file, where each would only repeat the start."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from service.settings import Settings


@pytest.fixture(scope="module")
def shared_settings(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings as the fixture `settings` has them, shared by the tests of one file."""
    folder: Path = tmp_path_factory.mktemp("shared")
    name = f"shared_{uuid.uuid4().hex}"
    server = postgres_url.replace("postgresql+psycopg://", "postgresql://", 1).replace("/augment?", "/postgres?", 1)
    with Redis.from_url(redis_url) as client:
        client.flushall()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE augment STRATEGY file_copy'.encode())
        try:
            yield Settings(
                database_url=postgres_url.replace("/augment?", f"/{name}?", 1),
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
            )
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
