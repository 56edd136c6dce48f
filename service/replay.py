"""Replay: one result made again from its row, by a worker like any other picture, and compared with what it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from uuid import UUID

from batching.errors import Overloaded, SourceMissing
from service.errors import Gone, ItemFailed, NotFound
from service.ids import new_id
from service.parts import Parts
from service.submitted import Fresh
from service.truth import batch_moves, replays
from service.truth.database import DatabaseUnavailable
from service.truth.replays import Made, Origin
from service.truth.submissions import NewBatch, NewItem, Written
from service.usecases import load_of

RETRY_AFTER_S = 5.0


@dataclass(frozen=True)
class Replayed:
    """What was made now, and what it was."""

    now: Made
    original: Made

    @property
    def identical(self) -> bool:
        """Whether the bytes are the same."""
        return self.now.sha256 == self.original.sha256

    @property
    def changed(self) -> Sequence[str]:
        """What differs between the two: the bytes, what the row says of them, or what made them."""
        return [field.name for field in fields(Made) if getattr(self.now, field.name) != getattr(self.original, field.name)]


async def replay(parts: Parts, tenant: str, output_id: UUID, wait_s: float) -> Replayed:
    """Makes the tenant's result again within `wait_s`; nothing of it stays.

    Errors: NotFound, Gone (its picture's bytes are no longer there), ItemFailed (it cannot be made any more), RateLimited,
    QuotaExceeded, StorageFull, Overloaded (it was not done in time), DatabaseUnavailable, StoreUnavailable.
    """
    origin = await replays.origin(parts.engine, tenant, output_id)
    if origin is None:
        raise NotFound("output")
    if not await parts.store.exists(origin.source_key):
        raise Gone("result's picture")
    again = _batch(tenant, origin)
    try:
        return Replayed(await _made(parts, again, wait_s), origin.made)
    finally:
        # what cannot be hidden now, the reconciler hides when it is old
        with suppress(DatabaseUnavailable):
            await batch_moves.hide(parts.engine, tenant, again.id)
            await batch_moves.cancel_items(parts.engine, tenant, again.id)


async def _made(parts: Parts, again: NewBatch, wait_s: float) -> Made:
    with parts.waiting.watch(again.id) as watch:
        await _begin(parts, again)
        clock = asyncio.get_running_loop().time
        end = clock() + wait_s
        while not (outcome := await replays.outcome(parts.engine, again.id)).final:
            if not await watch.change(end - clock()):
                raise Overloaded(RETRY_AFTER_S)
    if outcome.made is not None:
        return outcome.made
    if outcome.error_code == SourceMissing.code:
        raise Gone("result's picture")
    raise ItemFailed(
        outcome.error_code or "cancelled", outcome.error_detail or "it was cancelled", again.items[0].custom_id
    )


async def _begin(parts: Parts, again: NewBatch) -> None:
    """Admits, writes and hands off a replay. It counts as a submit of one interactive picture in all that is counted."""
    parts.store.check_room()
    allowance = await parts.depth.allowance(again.tenant)
    await parts.rates.take(again.tenant, "pictures", allowance.max_pictures_per_minute, 1)
    await parts.depth.admit(again.tenant, load_of(again))
    written = await parts.commit(again)
    parts.metrics.submitted.labels(again.priority).inc()
    [item] = again.items
    epoch = written.epoch if isinstance(written, Written) else None
    parts.hand_offs[again.priority].add(Fresh(again.tenant, ((item.id, item.cost_pixels),), epoch))


def _batch(tenant: str, origin: Origin) -> NewBatch:
    batch_id = new_id()
    item = NewItem(
        id=new_id(batch_id),
        custom_id=origin.custom_id,
        name=origin.name,
        item_key=origin.item_key,
        image_id=origin.image_id,
        source_key=origin.source_key,
        source_sha256=origin.source_sha256,
        width=origin.width,
        height=origin.height,
        labels=origin.source_labels,
        cost_pixels=origin.cost_pixels,
    )
    return NewBatch(
        id=batch_id,
        tenant=tenant,
        group=None,
        priority="interactive",
        recipe=origin.recipe,
        recipe_digest=origin.recipe_digest,
        recipe_name=origin.recipe_name,
        seed=origin.seed,
        variants=1,
        items=(item,),
        first_variant=origin.variant,
        replay_of=origin.batch_id,
    )
