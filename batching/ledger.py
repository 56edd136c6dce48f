"""The protocols a worker needs of the outside: the database's ledger and the object store. `service` implements them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from batching.items import Item, Outcome, Stored


@dataclass(frozen=True)
class Finish:
    """What a group of outcomes changed."""

    fenced: frozenset[UUID]
    """Items whose lease was no longer ours: nothing of them was written."""
    completed_batches: frozenset[UUID]
    """Batches whose last item became final with this group."""


@dataclass(frozen=True)
class Member:
    """A picture of a batch as others of the batch may take it as their partner."""

    name: int | str
    """Its custom_id; in tests and benchmarks also an item key."""
    source_key: str
    source_sha256: str
    pixels: int
    labels: str | None
    """Labels as JSON text."""


@dataclass(frozen=True)
class Kept:
    """Earlier results of what an item's results depend on: every variant, in order, under the keys of another item."""

    outputs: tuple[Stored, ...]
    device: str


class Ledger(Protocol):
    """The truth about items, asked once per micro-batch, group or batch, never once per item."""

    async def lease(self, item_ids: Sequence[UUID], worker: str) -> list[Item]:
        """Compare-and-set `queued -> leased` on the database clock; returns only what is now ours, tokens included."""
        ...

    async def renew(self, items: Sequence[Item]) -> frozenset[UUID]:
        """Extends the leases that are still ours, and returns their item ids."""
        ...

    async def finish(self, outcomes: Sequence[Outcome]) -> Finish:
        """Writes outputs, final states and counts of those still ours, in one transaction; others are fenced."""
        ...

    async def hand_back(self, items: Sequence[Item]) -> None:
        """`leased -> queued`, uncharged: a draining worker returns what it has not begun, or will not end."""
        ...

    async def charge(self, item: Item) -> Item | None:
        """A suspect is about to be run, alone: the item with its crash charged beforehand; None: it is no longer ours.

        While the whole fleet dies nothing is charged, and the item says so.
        """
        ...

    async def give_up(self, item: Item, reason: str) -> None:
        """`leased -> queued` of an item that died in the sandbox (`crashed`), or that a broken sandbox failed (`broken`).

        It is a suspect from now on, `item.crashes` is kept, and it is handed off again by the reconciler, not at once.
        """
        ...

    async def pin(self, item: Item) -> None:
        """Makes the picture at `item.source_url` a stored one, which its row names from then on; the lease stays.

        Errors: InputError where it cannot be had.
        """
        ...

    async def kept(self, item: Item, engine_version: str) -> Kept | None:
        """The tenant's own earlier results that an engine of this version would make of the item; None: it is to be run."""
        ...

    async def members(self, batch_id: UUID) -> Sequence[Member]:
        """Every picture of a batch that was not refused when it was sent, in any order; the same at any time."""
        ...


class Files(Protocol):
    """Objects of a store that are small files: any thread may read and write them at once. Errors of both: OSError."""

    def read(self, key: str) -> bytes | None:
        """The bytes under `key`; None: that would take a while, so the store is to be asked."""
        ...

    def write(self, key: str, content: bytes) -> bool:
        """Stores `content` under `key`; False: that would take a while, so it was not begun."""
        ...


class Store(Protocol):
    """Picture bytes by key."""

    @property
    def files(self) -> Files | None:
        """What threads may use beside the loop; None where objects are no files here."""
        ...

    async def get(self, key: str) -> bytes:
        """The bytes under `key`. Errors: SourceMissing."""
        ...

    async def put(self, key: str, content: bytes) -> None:
        """Stores `content` under `key`; the same key always gets the same bytes."""
        ...

    async def copy(self, source: str, key: str) -> None:
        """Stores what is under `source` under `key` too; each is deleted without the other. Errors: SourceMissing."""
        ...
