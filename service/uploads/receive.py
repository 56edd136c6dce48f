"""The body of `POST /v1/batches`: multipart files, an archive among them, or a list of pictures uploaded before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from starlette.requests import Request

from batching import failpoints
from batching.errors import SourceUrlForbidden
from kernels.partners import most_partners
from service.errors import (
    BadRequest,
    EmptyBody,
    NotFound,
    PayloadTooLarge,
    TooManyItems,
    ValidationError,
)
from service.named_recipes import Chosen, choose
from service.object_keys import Owner
from service.parts import Parts
from service.references.addresses import Address, parse_address
from service.references.pin import allowed
from service.schemas import BatchImagesRequest, BatchRequest, ImageEntry, checked
from service.truth import queries
from service.uploads.bodies import PartEvent, PartHead, whole_body
from service.uploads.bodies import parts as body_parts
from service.uploads.intake import Intake, Sent
from service.uploads.json_text import parse_long_json
from service.uploads.unpack import Spool, unpacked

_SPARE_PARTS = 8
_MOST_BYTES = 1 << 50
"""A multipart body is bounded by its parts, not as a whole."""


@dataclass(frozen=True)
class Received:
    """A batch's request: the JSON as sent, the same checked, the effective recipe, and the stored pictures."""

    document: Any
    ask: BatchRequest
    chosen: Chosen
    sent: Sequence[Sent]


async def receive(request: Request, parts: Parts, tenant: str, batch_id: UUID) -> Received:
    """Reads the whole body and stores every picture of it. Errors: those of the contract's table for submits."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    intake = Intake(parts.store, parts.settings, Owner(tenant, "sources", batch_id))
    try:
        if media_type == "multipart/form-data":
            received = await _multipart(request, parts, tenant, intake)
        elif media_type == "application/json":
            received = await _references(request, parts, tenant, intake)
        else:
            raise BadRequest("send multipart/form-data or application/json")
        failpoints.hit("body_read")
        sent = await intake.stored()
    except BaseException:
        await intake.abandon()
        raise
    if not sent:
        raise BadRequest("the batch holds no picture: send parts `images`, a part `archive`, or a list `images`")
    document, ask, chosen = received
    return Received(document, ask, chosen, sent)


_Checked = tuple[Any, BatchRequest, Chosen]


async def _checked_request(content: bytes, parts: Parts, tenant: str, model: type[BatchRequest], what: str) -> _Checked:
    document = await parse_long_json(content, what)
    images = document.get("images") if isinstance(document, dict) else None
    if isinstance(images, list) and len(images) > parts.settings.max_batch_items:  # before each is looked at
        raise TooManyItems(parts.settings.max_batch_items)
    ask = checked(model, document)
    chosen = await choose(parts, tenant, ask.recipe, ask.output)
    parts.recipes.check_variants(ask.variants)
    return document, ask, chosen


async def _references(request: Request, parts: Parts, tenant: str, intake: Intake) -> _Checked:
    body = await whole_body(request, parts.settings.max_json_bytes, parts.settings)
    if not body:
        raise EmptyBody
    found = await _checked_request(body, parts, tenant, BatchImagesRequest, "the request's body")
    ask = found[1]
    assert isinstance(ask, BatchImagesRequest)  # the model it was checked by
    if ask.source is not None:
        raise SourceUrlForbidden("/source")
    entries = ask.images or []
    addresses = {place: _address(entry, place, parts) for place, entry in enumerate(entries) if entry.url is not None}
    ids = [entry.image_id for entry in entries if entry.image_id]
    images = await queries.images_by_id(parts.engine, tenant, ids)
    for place, entry in enumerate(entries):
        if address := addresses.get(place):
            intake.refer_to(entry.custom_id or _file_name(address, place), address.url)
            continue
        if entry.image_id is None:
            raise ValidationError("an entry needs `image_id` or `url`", f"/images/{place}/image_id")
        if entry.image_id not in images:
            missing = NotFound("image")
            missing.pointer = f"/images/{place}/image_id"
            raise missing
        intake.refer(entry.custom_id, images[entry.image_id])
    if addresses and most_partners(found[2].recipe):
        raise ValidationError("pictures that are mixed with each other must be uploaded, not fetched later", "/images")
    return found


def _address(entry: ImageEntry, place: int, parts: Parts) -> Address:
    pointer = f"/images/{place}/url"
    if not parts.settings.url_sources:
        raise SourceUrlForbidden(pointer)
    if entry.image_id is not None:
        raise ValidationError("an entry has `image_id` or `url`, not both", pointer)
    try:
        return parse_address(entry.url or "", allowed(parts.settings))
    except SourceUrlForbidden as error:
        error.pointer = pointer
        raise


def _file_name(address: Address, place: int) -> str:
    if not address.filename:
        raise ValidationError("the address ends in no name; give the picture one", f"/images/{place}/custom_id")
    return unquote(address.filename, errors="backslashreplace")


async def _multipart(request: Request, parts: Parts, tenant: str, intake: Intake) -> _Checked:
    settings = parts.settings
    events = body_parts(request, _MOST_BYTES, settings.max_batch_items + _SPARE_PARTS, settings)
    found: _Checked | None = None
    archived = files = False
    async for event in events:
        assert isinstance(event, PartHead)  # every loop below reads its part to the end
        if event.field == "request":
            if found:
                raise BadRequest("the part `request` is there twice")
            content = await _content(events, settings.max_json_bytes, "the part `request`")
            if not content:
                raise EmptyBody("the part `request`")
            found = await _checked_request(content, parts, tenant, BatchRequest, "the part `request`")
        elif found is None:
            raise BadRequest("the part `request` must come first")
        elif event.field == "images":
            files = True
            content = await _content(events, settings.max_image_bytes, "a picture", event.filename)
            await intake.add(event.filename or None, content)
        elif event.field == "archive":
            if archived:
                raise BadRequest("the part `archive` is there twice")
            archived = True
            await _archive(events, parts, intake)
        else:
            raise BadRequest(f"there is no part {event.field[:80]!a}; the parts are `request`, `images` and `archive`")
        if archived and files:
            raise BadRequest("send parts `images` or one part `archive`, not both")
    if found is None:
        raise BadRequest("the part `request` is missing")
    return found


async def _content(events: AsyncIterator[PartEvent], limit: int, what: str, item: str | None = None) -> bytes:
    """The rest of the part that has just begun. PayloadTooLarge."""
    content = bytearray()
    async for piece in _pieces(events):
        content += piece
        if len(content) > limit:
            raise PayloadTooLarge(what, limit, item)
    return bytes(content)


async def _pieces(events: AsyncIterator[PartEvent]) -> AsyncIterator[bytes]:
    async for event in events:
        if not isinstance(event, bytes):
            return
        yield event


async def _archive(events: AsyncIterator[PartEvent], parts: Parts, intake: Intake) -> None:
    async with Spool(parts.settings) as spool:
        async for piece in _pieces(events):
            await spool.write(piece)
        async for name, content in unpacked(spool, parts.settings):
            await intake.add(name, content)
