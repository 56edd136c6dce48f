"""Lanes over the real Valkey of the session."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from batching.lanes import Lanes


@pytest.fixture
def lanes(redis_client: Redis) -> Lanes:
    return Lanes(redis_client)
