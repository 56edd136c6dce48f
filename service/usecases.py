"""What callers do with batches: submit, look, wait, cancel, retry, delete."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from batching import failpoints
from batching.errors import StoreUnavailable
from kernels.errors import LabelInvalid, RecipeInvalid, WorkTooLarge
from kernels.labels import Labels
from kernels.partners import check_company
from kernels.recipe import Recipe
from kernels.rng import MAX_SEED, item_key
from kernels.tensors import Size
from service.depth import Load
from service.errors import BadRequest, Conflict, Gone, IdempotencyKeyReused, NotFound, RequestTimeout, ValidationError
from service.ids import moment_of, new_id
from service.named_recipes import Chosen
from service.names import output_names
from service.object_keys import Owner
from service.parts import Parts
from service.recipes import Company
from service.schemas import MAX_CUSTOM_ID_BYTES, AugmentRequest, BatchRequest
from service.submitted import Fresh
from service.truth import batch_moves, queries, submissions
from service.truth.submissions import Key, NewBatch, NewItem, SameKey
from service.uploads.intake import Intake, Sent, sha256_of
from service.uploads.json_text import check_text, escaped

MAX_KEY_CHARACTERS = 255
_LARGE = 64
_RETRIED = ("queued", "running", "completed")
"""States of batches whose failed pictures may run again."""
_UNSEEN_PIXELS = 2**20
"""What is taken for the size of a picture that is to be fetched; what it is off by is metered when it was."""


@dataclass(frozen=True)
class Submitted:
    """A batch that is kept: just written, or the one that the same idempotency key wrote before."""

    batch: queries.Batch
    new: bool
    item_ids: tuple[UUID, ...] = ()
    """Of a new one."""


def idempotency_key(value: str | None) -> str | None:
    """A checked `Idempotency-Key` header. BadRequest."""
    if value is None:
        return None
    if not (1 <= len(value) <= MAX_KEY_CHARACTERS) or not value.isprintable() or not value.isascii():
        raise BadRequest(f"Idempotency-Key has 1 to {MAX_KEY_CHARACTERS} printable ASCII characters")
    return value


def fingerprint(document: Any, sent: Sequence[Sent]) -> str:
    """What makes two requests the same: the JSON as it was sent, and the pictures by name and content, in order."""
    canonical = json.dumps([document, [(one.custom_id, one.sha256) for one in sent]], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


async def submit(
    parts: Parts,
    tenant: str,
    batch_id: UUID,
    ask: AugmentRequest | BatchRequest,
    chosen: Chosen,
    sent: Sequence[Sent],
    key: Key | None,
    *,
    fresh: bool = False,
) -> Submitted:
    """Writes the batch of these pictures, durably, and hands it to the workers in the background.

    The bytes of `sent` are stored already. fresh: no earlier results are to answer for it. Errors: those of the recipe,
    labels and limits, RateLimited, QuotaExceeded, IdempotencyKeyReused, Gone (the batch of the same key was deleted),
    DatabaseUnavailable.
    """
    if key and (owner := await submissions.key_owner(parts.engine, tenant, key.key)):
        return Submitted(await _same(parts, tenant, key, owner), new=False)
    if len(sent) > _LARGE or ask.labels is not None:  # names and masks of thousands must not hold up the loop
        new = await asyncio.to_thread(_new_batch, parts, tenant, batch_id, ask, chosen, sent, key, fresh)
    else:
        new = _new_batch(parts, tenant, batch_id, ask, chosen, sent, key, fresh)
    allowance = await parts.depth.allowance(tenant)
    await parts.rates.take(tenant, "pictures", allowance.max_pictures_per_minute, len(new.items))
    await parts.depth.admit(tenant, load_of(new))
    _check_in_time(parts, batch_id)
    failpoints.hit("before_commit")
    result = await parts.commit(new)
    if isinstance(result, SameKey):
        return Submitted(await _same(parts, tenant, key, result), new=False)
    failpoints.hit("committed")
    parts.metrics.submitted.labels(new.priority).inc(len(new.items))
    if waiting := tuple((item.id, item.cost_pixels) for item in new.items if item.error_code is None):
        parts.hand_offs[new.priority].add(Fresh(tenant, waiting, result.epoch))
    return Submitted(_row(new, result), new=True, item_ids=tuple(item.id for item in new.items))


async def find_batch(parts: Parts, tenant: str, batch_id: UUID) -> queries.Batch:
    """The tenant's batch. NotFound."""
    batch = await queries.batch(parts.engine, tenant, batch_id)
    if batch is None:
        raise NotFound("batch")
    return batch


async def await_batch(parts: Parts, tenant: str, batch_id: UUID, wait_s: float) -> queries.Batch:
    """The tenant's batch when it is final, or as it is after `wait_s`. NotFound."""
    with parts.waiting.watch(batch_id) as watch:
        return await parts.waiting.until_final(watch, lambda: find_batch(parts, tenant, batch_id), wait_s)


async def _same(parts: Parts, tenant: str, key: Key | None, owner: SameKey) -> queries.Batch:
    if key is None or owner.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    batch = await queries.batch(parts.engine, tenant, owner.batch_id)
    if batch is None:
        raise Gone("batch")
    return batch


def _check_in_time(parts: Parts, batch_id: UUID) -> None:
    """RequestTimeout for a request that is so old that its objects may soon be taken for nobody's (`repair.orphans`)."""
    limit_s = parts.settings.orphan_s / 2
    if time.time() - moment_of(batch_id) > limit_s:
        raise RequestTimeout(limit_s, f"the body was not complete within {limit_s:g} s")


def _new_batch(
    parts: Parts,
    tenant: str,
    batch_id: UUID,
    ask: AugmentRequest | BatchRequest,
    chosen: Chosen,
    sent: Sequence[Sent],
    key: Key | None,
    fresh: bool,
) -> NewBatch:
    recipe = chosen.recipe
    labels = _labels(ask, sent)
    names = output_names([one.custom_id for one in sent])
    if chosen.mixes:
        check_company(recipe, len(sent), "/recipe")
    probed = [one.probe.width * one.probe.height for one in sent if one.probe]
    company = Company(min(probed), sum(probed) // len(probed)) if probed else None
    # ids of one moment are in no order, and outputs are paged by the ids of their items
    ids = sorted(new_id(batch_id) for _ in sent)
    items = [
        _new_item(parts, identity, name, one, recipe, ask.variants, labels.get(one.custom_id), company)
        for identity, name, one in zip(ids, names, sent, strict=True)
    ]
    return NewBatch(
        id=batch_id,
        tenant=tenant,
        group=ask.group if isinstance(ask, BatchRequest) else None,
        priority=ask.priority,
        recipe=chosen.document,
        recipe_digest=recipe.digest,
        recipe_name=chosen.name,
        seed=secrets.randbelow(MAX_SEED + 1) if ask.seed is None else ask.seed,
        variants=ask.variants,
        items=tuple(items),
        key=key,
        # a seed that was drawn just now has no earlier results
        use_cache=parts.settings.output_cache and ask.seed is not None and not fresh,
    )


def _new_item(
    parts: Parts,
    identity: UUID,
    name: str,
    one: Sent,
    recipe: Recipe,
    variants: int,
    labels: dict[str, Any] | None,
    company: Company | None,
) -> NewItem:
    size = Size(one.probe.height, one.probe.width) if one.probe else None
    try:
        cost_pixels = parts.recipes.cost_pixels(recipe, size, variants, company) if size else 0
        if one.url:
            cost_pixels = _UNSEEN_PIXELS * (1 + variants)
    except (WorkTooLarge, RecipeInvalid) as error:
        error.item = one.custom_id
        raise
    return NewItem(
        id=identity,
        custom_id=one.custom_id,
        name=name,
        item_key=f"{item_key(one.custom_id):016x}",
        image_id=one.image.id if one.image else None,
        source_key=one.object_key,
        source_sha256=one.sha256,
        source_bytes=one.bytes if one.object_key and one.image is None else 0,
        width=size.width if size else None,
        height=size.height if size else None,
        labels=labels,
        cost_pixels=cost_pixels,
        error_code=one.error.code if one.error else None,
        error_detail=one.error.message if one.error else None,
        source_url=one.url,
    )


def _labels(ask: AugmentRequest | BatchRequest, sent: Sequence[Sent]) -> dict[str, dict[str, Any]]:
    """Checked labels by custom_id. LabelInvalid."""
    if ask.labels is None:
        return {}
    if isinstance(ask, AugmentRequest):
        given = {one.custom_id: (ask.labels, "/labels") for one in sent}
    else:
        known = {one.custom_id for one in sent}
        for name in ask.labels:
            if name not in known:
                raise LabelInvalid("there is no picture of this custom_id in the batch", f"/labels/{escaped(name)}")
        given = {name: (labels, f"/labels/{escaped(name)}") for name, labels in ask.labels.items()}
    checked: dict[str, dict[str, Any]] = {}
    for one in sent:
        if one.custom_id in given and one.url:
            raise LabelInvalid("labels need the size of their picture: upload it", given[one.custom_id][1])
        if one.custom_id in given and one.probe:
            value, pointer = given[one.custom_id]
            try:
                labels = Labels.parse(value, Size(one.probe.height, one.probe.width), pointer)
            except LabelInvalid as error:
                error.item = one.custom_id
                raise
            checked[one.custom_id] = labels.document()
    return checked


def load_of(new: NewBatch) -> Load:
    """What a batch asks of its tenant's limits."""
    return Load(
        priority=new.priority,
        items=len(new.items) - new.failed,
        pixels=sum(item.cost_pixels for item in new.items),
        bytes=sum(item.source_bytes for item in new.items),
    )


def _row(new: NewBatch, written: submissions.Written) -> queries.Batch:
    return queries.Batch(
        id=new.id,
        state=new.state,
        priority=new.priority,
        recipe=new.recipe,
        recipe_digest=new.recipe_digest,
        recipe_name=new.recipe_name,
        seed=new.seed,
        variants=new.variants,
        total=len(new.items),
        succeeded=0,
        failed=new.failed,
        cancelled=0,
        outputs_done=0,
        generation=0,
        created_at=written.created_at,
        started_at=None,
        finished_at=written.finished_at,
    )


async def cancel(parts: Parts, tenant: str, batch_id: UUID) -> queries.Batch:
    """Ends a batch: what is not finished is cancelled. Cancelling again changes nothing. NotFound, Conflict."""
    if await batch_moves.request_cancel(parts.engine, tenant, batch_id):
        await batch_moves.cancel_items(parts.engine, tenant, batch_id)
    batch = await find_batch(parts, tenant, batch_id)
    if batch.final and batch.state != "cancelled":
        raise Conflict(f"the batch is {batch.state}; there is nothing left to cancel")
    return batch


async def retry(parts: Parts, tenant: str, batch_id: UUID) -> queries.Batch:
    """Runs the failed pictures of a batch again, which count as if they were submitted anew.

    NotFound, Conflict, StorageFull, RateLimited, QuotaExceeded.
    """
    batch = await find_batch(parts, tenant, batch_id)
    found = await batch_moves.retriable(parts.engine, tenant, batch_id)
    load = Load(batch.priority, found.items, found.pixels)
    retried: Sequence[batch_moves.Retried] = ()
    if found.items and batch.state in _RETRIED:
        parts.store.check_room()
        allowance = await parts.depth.allowance(tenant)
        await parts.rates.take(tenant, "pictures", allowance.max_pictures_per_minute, found.items)
        await parts.depth.admit(tenant, load)
        retried = await batch_moves.retry(parts.engine, tenant, batch_id)
        if not retried:
            parts.depth.give_back(tenant, load)
    if not retried:
        if batch.failed and batch.state in _RETRIED:
            raise Conflict("the pictures that failed were refused when they were sent; send them again, mended")
        raise Conflict(f"the batch is {batch.state} and has {batch.failed} failed pictures: there is nothing to retry")
    await parts.hand_offs[batch.priority].ask(Fresh(tenant, tuple((item.id, item.cost_pixels) for item in retried)))
    return await find_batch(parts, tenant, batch_id)


async def delete_batch(parts: Parts, tenant: str, batch_id: UUID) -> None:
    """Hides a batch at once and cancels what is unfinished; rows and bytes are removed later. NotFound."""
    if not await batch_moves.hide(parts.engine, tenant, batch_id):
        raise NotFound("batch")
    await batch_moves.cancel_items(parts.engine, tenant, batch_id)


async def keep_image(parts: Parts, tenant: str, content: bytes, filename: str) -> tuple[queries.Image, bool]:
    """Keeps an uploaded picture, and says whether it is new. EmptyBody, QuotaExceeded, StorageFull, errors of `probe`."""
    check_text(filename, "/filename")
    if len(filename.encode()) > MAX_CUSTOM_ID_BYTES:
        raise ValidationError(f"a file name has at most {MAX_CUSTOM_ID_BYTES} bytes", "/filename", MAX_CUSTOM_ID_BYTES)
    # what is there already needs no room
    sha256 = await sha256_of(content)
    if kept := await queries.image_of(parts.engine, tenant, sha256):
        return kept, False
    load = Load(bytes=len(content))
    await parts.depth.admit(tenant, load)  # before it is stored: what is refused would lie there until it is collected
    new = False
    try:
        image_id = new_id()
        intake = Intake(parts.store, parts.settings, Owner(tenant, "images", image_id), alone=True)
        await intake.add(None, content, sha256)
        [sent] = await intake.stored()
        assert sent.probe is not None  # it is alone, so an error was raised
        picture = queries.Picture(
            sent.sha256, sent.bytes, sent.probe.format, sent.probe.width, sent.probe.height, sent.object_key
        )
        image, new = await queries.keep_image(parts.engine, tenant, image_id, picture, filename)
    finally:
        if not new:
            parts.depth.give_back(tenant, load)
    if not new:
        with suppress(StoreUnavailable):  # nobody needs the second copy, so that it is collected some day is good enough
            await parts.store.delete([sent.object_key])
    return image, new


async def delete_image(parts: Parts, tenant: str, image_id: UUID) -> None:
    """Hides an uploaded picture. NotFound."""
    if not await queries.hide_image(parts.engine, tenant, image_id):
        raise NotFound("image")


async def delete_output(parts: Parts, tenant: str, output_id: UUID) -> None:
    """Removes a result and its bytes. NotFound."""
    removed = await queries.remove_output(parts.engine, tenant, output_id)
    if removed is None:
        raise NotFound("output")
    await parts.store.delete([removed])  # its key was this result's alone, so nobody else can need it
