"""The parts of a running API process, made once when it starts and handed to every use case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from batching.items import Priority
from batching.lanes import Lanes
from service.accounts.allowance import Allowance
from service.accounts.callers import Callers
from service.accounts.metering import RequestCounts
from service.accounts.tokens import Tokens
from service.depth import Depth
from service.errors import IdempotencyInProgress
from service.groups import Grouped
from service.limits import Rates
from service.metrics import Metrics
from service.recipes import RecipeBook
from service.settings import Settings
from service.store import ObjectStore
from service.submitted import Fresh
from service.truth.database import AsyncEngine
from service.truth.queries import Output
from service.truth.submissions import NewBatch, Result, write
from service.waiting import Waiting

SMALL_ITEMS = 64
"""Batches of more pictures have a transaction of their own."""


@dataclass(frozen=True)
class Parts:
    """What a use case works with."""

    settings: Settings
    engine: AsyncEngine
    store: ObjectStore
    lanes: Lanes
    callers: Callers
    tokens: Tokens
    allowance: Allowance
    """Of tenants that have none of their own."""
    rates: Rates
    requests: RequestCounts
    waiting: Waiting
    recipes: RecipeBook
    depth: Depth
    metrics: Metrics
    commits: Grouped[NewBatch, Result]
    results: Grouped[tuple[str, UUID], Sequence[Output]]
    """Of batches (tenant, id) that were waited for since they were submitted here, read together."""
    hand_offs: Mapping[Priority, Grouped[Fresh, None]]
    """By priority, so that ten thousand bulk items never stand before an interactive one."""
    keys_in_progress: set[tuple[str, str]] = field(default_factory=set)

    async def commit(self, new: NewBatch) -> Result:
        """Writes a batch: small ones together with those of the same moment, so that they share a transaction."""
        if len(new.items) <= SMALL_ITEMS:
            return await self.commits.ask(new)
        [result] = await write(self.engine, [new])
        if isinstance(result, Exception):
            raise result
        return result

    @contextmanager
    def key_claimed(self, tenant: str, key: str | None) -> Iterator[None]:
        """Keeps an idempotency key to one request of this process at a time. IdempotencyInProgress."""
        if key is None:
            yield
            return
        if (tenant, key) in self.keys_in_progress:
            raise IdempotencyInProgress
        self.keys_in_progress.add((tenant, key))
        try:
            yield
        finally:
            self.keys_in_progress.discard((tenant, key))
