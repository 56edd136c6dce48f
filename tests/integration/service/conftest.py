"""Parts of the service on real servers, each with a database and a store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from batching.lanes import Lanes
from service.store import ObjectStore, local_store
from service.truth.database import AsyncEngine, make_engine


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return local_store(tmp_path / "store")


@pytest.fixture
def lanes(redis_client: Redis) -> Lanes:
    return Lanes(redis_client)
