"""Server-Sent Events of a batch: its progress, every picture that failed, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import BaseModel

from service.errors import NotFound
from service.parts import Parts
from service.truth import queries
from service.usecases import find_batch
from service.views import batch_view, item_view

PROGRESS_S = 0.25
"""Shortest time between two progress events."""
SILENCE_S = 15.0
"""Longest time without a line: proxies cut silent connections."""
_OVERLAP = timedelta(seconds=2)
"""A transaction may commit later than its clock says, so failures are looked for this far back."""
_PAGE = 500


@dataclass(frozen=True)
class Mark:
    """How far a client has read: what an event's id says."""

    generation: int = 0
    failed: int = 0
    """Failures told so far."""
    failed_at: datetime | None = None
    """When the last of them ended."""
    final: bool = False

    def text(self) -> str:
        """The mark as an event id."""
        microseconds = 0 if self.failed_at is None else round(self.failed_at.timestamp() * 1e6)
        return f"{self.generation}-{self.failed}-{microseconds}-{int(self.final)}"


def parse_mark(text: str | None) -> Mark:
    """The mark that a `Last-Event-ID` stands for; the beginning, where it is none of ours."""
    parts = (text or "").split("-")
    if len(parts) != 4 or not all(part.isdecimal() and len(part) <= 18 for part in parts):
        return Mark()
    generation, failed, microseconds, final = map(int, parts)
    try:
        failed_at = datetime.fromtimestamp(microseconds / 1e6, UTC) if microseconds else None
    except (ValueError, OverflowError, OSError):
        return Mark()
    return Mark(generation, failed, failed_at, bool(final))


async def events(parts: Parts, tenant: str, batch_id: UUID, mark: Mark) -> AsyncIterator[bytes]:
    """Events from `mark` on, until the batch is final. A failure may be told twice after a reconnect, never not at all."""
    told: set[UUID] = set()
    last: queries.Batch | None = None
    clock = asyncio.get_running_loop().time
    with parts.waiting.watch(batch_id, live=True) as watch:
        while True:
            try:
                batch = await find_batch(parts, tenant, batch_id)
            except NotFound:
                return  # deleted while we watched
            if batch.generation != mark.generation:
                mark = replace(mark, generation=batch.generation, failed=0)
                told.clear()
            if batch.failed > mark.failed:
                async for item in _failures(parts, tenant, batch_id, mark, told):
                    mark = replace(mark, failed_at=item.finished_at)
                    yield _event("item_failed", mark, item_view(item))
                mark = replace(mark, failed=batch.failed)
            if batch.final:
                yield _event("completed", replace(mark, final=True), batch_view(batch))
                return
            if batch != last:
                yield _event("progress", mark, batch_view(batch))
                last = batch
            earliest = clock() + PROGRESS_S
            while not await watch.change(SILENCE_S):
                yield b": still here\n\n"
            await asyncio.sleep(earliest - clock())


async def _failures(
    parts: Parts, tenant: str, batch_id: UUID, mark: Mark, told: set[UUID]
) -> AsyncIterator[queries.ItemRow]:
    after = (mark.failed_at - _OVERLAP, UUID(int=0)) if mark.failed_at else None
    while page := await queries.failed_items(parts.engine, tenant, batch_id, after, _PAGE):
        for item in page:
            if item.id not in told:
                told.add(item.id)
                yield item
        last = page[-1]
        assert last.finished_at is not None  # a failed item has ended
        after = last.finished_at, last.id


def _event(kind: str, mark: Mark, model: BaseModel) -> bytes:
    return f"event: {kind}\nid: {mark.text()}\ndata: {model.model_dump_json()}\n\n".encode()
