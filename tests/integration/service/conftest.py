"""Parts of the service on real servers, each with a database and a store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from redis.asyncio import Redis

from batching.lanes import Lanes
from service.app import create_app
from service.client import Client
from service.settings import Settings
from service.store import ObjectStore, local_store
from service.truth.database import AsyncEngine, make_engine
from tests.helpers.api import running_api
from tests.helpers.stack import Stack


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_settings: Settings) -> FastAPI:
    """One for all tests of a file."""
    return create_app(shared_settings)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of `app`, which runs."""
    async with running_api(app) as client:
        yield client


@pytest.fixture
def client(shared_stack: Stack) -> Iterator[Client]:
    """Our own client, of a whole system."""
    with Client(str(shared_stack.client.base_url)) as opened:
        yield opened
