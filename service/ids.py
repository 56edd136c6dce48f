"""Ids: UUIDs of version 7 (RFC 9562), so that they sort by time in every index."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

_DAY_MS = 86_400_000


def new_id(like: UUID | None = None) -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits. With `like`, of the same millisecond as that one."""
    moment = time.time_ns() // 1_000_000 if like is None else like.int >> 80
    random = int.from_bytes(os.urandom(10), "big")
    return UUID(int=moment << 80 | 0x7 << 76 | (random >> 64 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1)


def moment_of(identity: UUID) -> float:
    """When an id of ours was made, in Unix seconds."""
    return (identity.int >> 80) / 1000


def day_of(identity: UUID) -> str:
    """The day on which an id of ours was made, YYYY-MM-DD (UTC)."""
    return _day((identity.int >> 80) // _DAY_MS)


@lru_cache(maxsize=16)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY_MS / 1000, UTC).strftime("%Y-%m-%d")
