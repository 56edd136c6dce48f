"""A ledger and a store in memory: small real implementations of `batching.ledger`, shared by any number of workers."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from batching.errors import SourceMissing, SourceUrlForbidden
from batching.items import Done, Failed, Item, Outcome, Priority, Waiting
from batching.ledger import Finish, Kept, Member
from kernels.recipe import Recipe


def make_item(
    content: bytes = b"",
    *,
    recipe: Recipe | None = None,
    variants: int = 1,
    tenant: str = "tenant",
    priority: Priority = "bulk",
    batch_id: UUID | None = None,
    cost_pixels: int = 100_000,
    key: int = 1,
    name: str = "picture",
    labels: Mapping[str, Any] | None = None,
    use_cache: bool = False,
) -> Item:
    """A queued item whose picture is `content`."""
    sha256 = hashlib.sha256(content).hexdigest()
    return Item(
        id=uuid4(),
        batch_id=batch_id or uuid4(),
        tenant=tenant,
        priority=priority,
        day="2026-01-01",
        token=0,
        source_key=f"{tenant}/images/{sha256[:2]}/{sha256}",
        source_sha256=sha256,
        name=name,
        key=key,
        seed=7,
        variants=variants,
        recipe=recipe or Recipe(),
        labels=labels,
        cost_pixels=cost_pixels,
        executions=0,
        use_cache=use_cache,
    )


def waiting(item: Item, channel: str = "") -> Waiting:
    """What a lane holds of an item."""
    return Waiting(item.id, item.cost_pixels, channel)


@dataclass
class Row:
    """One item as the ledger knows it."""

    item: Item
    state: str = "queued"
    worker: str = ""
    lease_until_s: float = 0.0
    outcome: Outcome | None = None


class MemoryLedger:
    """Items, leases and outcomes in a mapping. `lease_s` is as in a database, on this machine's clock."""

    def __init__(self, lease_s: float = 30.0) -> None:
        self.lease_s = lease_s
        self.rows: dict[UUID, Row] = {}
        self.calls: Counter[str] = Counter()
        self.fenced = 0
        self.results: dict[tuple[str, int, str], Kept] = {}
        """Earlier results by picture, item key and engine version, put here by the test."""
        self.failing: Exception | None = None
        """Raised by every call while it is set."""
        self._lock = threading.Lock()
        self._tokens = 0
        self._unfinished: Counter[UUID] = Counter()

    def add(self, items: Sequence[Item]) -> None:
        """Items that were submitted."""
        self.rows |= {item.id: Row(item) for item in items}
        self._unfinished.update(item.batch_id for item in items)

    def states(self) -> Counter[str]:
        """Items by state."""
        return Counter(row.state for row in self.rows.values())

    def outcome(self, item: Item) -> Outcome | None:
        """How an item ended, or None."""
        return self.rows[item.id].outcome

    def expire(self, suspects: bool = True) -> list[Item]:
        """The reconciler's part: lapsed leases become queued again, as suspects unless the test is of something else."""
        with self._lock:
            lapsed = [row for row in self.rows.values() if row.state == "leased" and row.lease_until_s < time.monotonic()]
            for row in lapsed:
                row.state, row.item = "queued", replace(row.item, suspect=suspects)
            return [row.item for row in lapsed]

    async def lease(self, item_ids: Sequence[UUID], worker: str) -> list[Item]:
        with self._called("lease"):
            leased = []
            for item_id in item_ids:
                row = self.rows.get(item_id)
                if row is None or row.state != "queued":
                    continue
                self._tokens += 1
                row.item = replace(row.item, token=self._tokens, executions=row.item.executions + 1)
                row.state, row.worker, row.lease_until_s = "leased", worker, time.monotonic() + self.lease_s
                leased.append(row.item)
            return leased

    async def renew(self, items: Sequence[Item]) -> frozenset[UUID]:
        with self._called("renew"):
            ours = [self.rows[item.id] for item in items if self._ours(item)]
            for row in ours:
                row.lease_until_s = time.monotonic() + self.lease_s
            return frozenset(row.item.id for row in ours)

    async def pin(self, item: Item) -> None:
        raise SourceUrlForbidden

    async def charge(self, item: Item) -> Item | None:
        with self._called("charge"):
            if not self._ours(item):
                return None
            row = self.rows[item.id]
            row.item = replace(row.item, crashes=item.crashes + 1)
            return replace(item, crashes=item.crashes + 1, charged=True)

    async def give_up(self, item: Item, reason: str) -> None:
        with self._called(reason):
            if self._ours(item):
                row = self.rows[item.id]
                row.state, row.item = "queued", replace(row.item, suspect=True, crashes=item.crashes)

    async def kept(self, item: Item, engine_version: str) -> Kept | None:
        with self._called("kept"):
            return self.results.get((item.source_sha256, item.key, engine_version))

    async def members(self, batch_id: UUID) -> Sequence[Member]:
        with self._called("members"):
            items = [row.item for row in self.rows.values() if row.item.batch_id == batch_id]
            return [
                Member(item.key, item.source_key, item.source_sha256, 100, item.labels and json.dumps(item.labels))
                for item in items
            ]

    async def finish(self, outcomes: Sequence[Outcome]) -> Finish:
        with self._called("finish"):
            written = [outcome for outcome in outcomes if self._ours(outcome.item)]
            for outcome in written:
                row = self.rows[outcome.item.id]
                row.state, row.outcome = "failed" if isinstance(outcome, Failed) else "succeeded", outcome
            self.fenced += len(outcomes) - len(written)
            self._unfinished.subtract(outcome.item.batch_id for outcome in written)
            return Finish(
                fenced=frozenset(outcome.item.id for outcome in outcomes) - {outcome.item.id for outcome in written},
                completed_batches=frozenset(
                    outcome.item.batch_id for outcome in written if not self._unfinished[outcome.item.batch_id]
                ),
            )

    async def hand_back(self, items: Sequence[Item]) -> None:
        with self._called("hand_back"):
            for item in items:
                if self._ours(item):
                    self.rows[item.id].state = "queued"
                    crashes = item.crashes - item.charged
                    self.rows[item.id].item = replace(item, executions=item.executions - 1, crashes=crashes, charged=False)

    def _ours(self, item: Item) -> bool:
        row = self.rows[item.id]
        return row.state == "leased" and row.item.token == item.token

    def _called(self, name: str) -> threading.Lock:
        if self.failing is not None:
            raise self.failing
        self.calls[name] += 1
        return self._lock


class MemoryFiles:
    """What threads may use of a `MemoryStore`. `unready` keys, and all that is written while `busy`, are left to it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.unready: set[str] = set()
        self.busy = False
        self.written: list[str] = []

    def read(self, key: str) -> bytes | None:
        if key not in self._store.objects:
            raise FileNotFoundError(key)
        return None if key in self.unready else self._store.objects[key]

    def write(self, key: str, content: bytes) -> bool:
        if self._store.failing is not None:
            raise OSError("planted")
        if not self.busy:
            self._store.objects[key] = content
            self.written.append(key)
        return not self.busy


class MemoryStore:
    """Objects in a mapping."""

    def __init__(self) -> None:
        self.files: MemoryFiles | None = None
        self.objects: dict[str, bytes] = {}
        self.failing: Exception | None = None

    async def get(self, key: str) -> bytes:
        if self.failing is not None:
            raise self.failing
        if key not in self.objects:
            raise SourceMissing
        return self.objects[key]

    async def put(self, key: str, content: bytes) -> None:
        if self.failing is not None:
            raise self.failing
        self.objects[key] = content

    async def copy(self, source: str, key: str) -> None:
        await self.put(key, await self.get(source))

    def contents(self, outcome: Outcome | None) -> list[bytes]:
        """The stored results of an item, in the order of its variants."""
        assert isinstance(outcome, Done), outcome
        return [self.objects[output.object_key] for output in outcome.outputs]


@asynccontextmanager
async def as_context(thing: object) -> AsyncIterator[object]:
    yield thing
