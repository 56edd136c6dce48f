"""The pictures of a batch as partners of each other: who they are, asked of the ledger once for each batch."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from batching.ledger import Ledger, Member
from kernels.partners import Pool
from kernels.rng import item_key

BATCHES_KEPT = 8
"""A batch's labels take at most what one request may carry, some megabytes."""


@dataclass(frozen=True)
class Company:
    """The pictures of one batch by item key, and the pool that they are chosen from."""

    pool: Pool
    members: Mapping[int, Member]


class Companies:
    """The companies of the batches that were asked for last, for one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[UUID, Company] = OrderedDict()
        self._asking = asyncio.Lock()

    async def of(self, batch_id: UUID) -> Company:
        """The company of a batch, which never changes. Errors: those of `Ledger.members`."""
        async with self._asking:  # the items of a batch come together: one of them asks
            if (known := self._known.get(batch_id)) is None:
                members = {item_key(member.name): member for member in await self._ledger.members(batch_id)}
                known = self._known[batch_id] = Company(Pool(member.name for member in members.values()), members)
                if len(self._known) > BATCHES_KEPT:
                    self._known.popitem(last=False)
            self._known.move_to_end(batch_id)
            return known

    def pass_over(self, batch_id: UUID, key: int) -> None:
        """A picture that cannot be decoded is nobody's partner, so the choice need not meet it again."""
        if (known := self._known.get(batch_id)) is not None:
            self._known[batch_id] = Company(known.pool.without(key), known.members)
