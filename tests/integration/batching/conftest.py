"""Lanes and workers over the real Valkey of the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis as Blocking
from redis.asyncio import Redis

from batching import failpoints
from batching.lanes import Lanes
from tests.helpers.worker import Rig, make_rig


@pytest.fixture
def lanes(redis_client: Redis) -> Lanes:
    return Lanes(redis_client)


@pytest.fixture
def rig(redis_url: str) -> Iterator[Rig]:
    """A worker over a ledger and a store in memory, on an empty Redis; faults that a test planted are gone after it."""
    with Blocking.from_url(redis_url) as client:
        client.flushall()
    yield make_rig(redis_url)
    failpoints.arm({})
