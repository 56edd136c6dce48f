"""The seed's routes for pictures, so that its clients work unchanged. Off unless `AUGMENT_SEED_API` is set."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from batching.errors import Overloaded, SourceMissing
from kernels.codec import Limits, decode, encode
from kernels.recipe import Output
from kernels.tensors import Size
from service import seed_ops, usecases
from service.errors import Gone, ItemFailed, NotFound, PayloadTooLarge, ValidationError
from service.ids import new_id
from service.named_recipes import Chosen
from service.object_keys import Owner
from service.parts import Parts
from service.routes.content import safe_headers
from service.routes.documented import BINARY, body_of, problems
from service.routes.seed_users import Caller, from_gateway
from service.routes.shared import PartsOf, answer
from service.schemas import AugmentRequest
from service.truth import batch_moves, queries, seed_queries
from service.truth.seed_queries import Upload, User
from service.uploads.bodies import PartHead, whole_body
from service.uploads.bodies import parts as body_parts
from service.uploads.intake import Intake, limits
from service.uploads.json_text import parse_json

_SLACK_BYTES = 64 * 1024
_MAX_PARTS = 32
_PNG: dict[int | str, dict[str, Any]] = {200: {"description": "The picture.", "content": {"image/png": {"schema": BINARY}}}}


class UploadView(BaseModel):
    """An upload."""

    unprocessed_image_id: UUID
    unprocessed_image_filename: str


class ProcessedView(BaseModel):
    """A result, and what it was asked for with."""

    unprocessed_image_id: UUID
    processed_image_id: UUID
    processed_image_filename: str
    request_body: dict[str, Any]


router = APIRouter(tags=["seed"], dependencies=[Depends(from_gateway)])


@router.post(
    "/image-api/upload",
    status_code=201,
    responses={201: {"model": UploadView}, **problems(400, 403, 404, 408, 413, 415, 507)},
    openapi_extra={
        "requestBody": body_of(
            {"multipart/form-data": {"type": "object", "properties": {"image": BINARY}, "required": ["image"]}}
        )
    },
)
async def upload(request: Request, parts: PartsOf, caller: Caller) -> Response:
    """Keeps a picture. Each upload has an id of its own, whatever its bytes."""
    content, name = await _uploaded(request, parts)
    image, _ = await usecases.keep_image(parts, caller.tenant, content, name)
    filename = name or f"{image.id}.{image.format}"
    upload_id = new_id()
    if not await seed_queries.keep_upload(parts.engine, caller, upload_id, image, filename):
        await queries.hide_image(parts.engine, caller.tenant, image.id)
        raise NotFound("user")
    return answer(UploadView(unprocessed_image_id=upload_id, unprocessed_image_filename=filename), 201)


@router.post(
    "/image-api/augment/{unprocessed_image_id}",
    status_code=201,
    responses={201: {"model": ProcessedView}, **problems(400, 403, 404, 408, 410, 413, 429)},
    openapi_extra={"requestBody": body_of({"application/json": seed_ops.schema()})},
)
async def augment_upload(request: Request, unprocessed_image_id: UUID, parts: PartsOf, caller: Caller) -> Response:
    """Makes one result of a picture, with numbers drawn anew, and answers when it is stored."""
    document = parse_json(await whole_body(request, parts.settings.max_json_bytes, parts.settings))
    found = await _upload(parts, caller, unprocessed_image_id)
    recipe = seed_ops.recipe(document, Size(found.image.height, found.image.width))
    ask = AugmentRequest(recipe=recipe.document(), custom_id=str(found.id))
    batch_id = new_id()
    intake = Intake(parts.store, parts.settings, Owner(caller.tenant, "sources", batch_id), alone=True)
    intake.refer(ask.custom_id, found.image)
    with parts.waiting.watch(batch_id) as watch:
        await usecases.submit(parts, caller.tenant, batch_id, ask, Chosen(recipe), await intake.stored(), None)
        batch = await parts.waiting.until_final(
            watch, lambda: usecases.find_batch(parts, caller.tenant, batch_id), parts.settings.max_wait_s
        )
    if not batch.final:
        await usecases.delete_batch(parts, caller.tenant, batch_id)
        raise Overloaded(5.0)
    outputs = await queries.outputs_page(parts.engine, caller.tenant, batch_id, None, 1)
    if not outputs:
        [item] = await queries.items(parts.engine, caller.tenant, batch_id, None, -1, 1)
        raise ItemFailed(
            item.error_code or item.state, item.error_detail or f"the picture was {item.state}", item.custom_id
        )
    if await seed_queries.user(parts.engine, caller.id) is None:
        # the user was deleted while this was under way: the deletion may have come before the batch
        await batch_moves.hide(parts.engine, caller.tenant, batch_id)
        raise NotFound("user")
    stem = PurePosixPath(found.filename.replace("\\", "/")).stem or str(found.id)
    view = ProcessedView(
        unprocessed_image_id=found.id,
        processed_image_id=outputs[0].id,
        processed_image_filename=f"{stem}-{document['arguments']['processing']}.png",
        request_body=document,
    )
    return answer(view, 201)


@router.get(
    "/image-api/unprocessed-image/{image_id}/", response_class=Response, responses={**_PNG, **problems(403, 404, 410)}
)
@router.get("/image-api/unprocessed-image/{image_id}", include_in_schema=False)
async def unprocessed_image(image_id: UUID, parts: PartsOf, caller: Caller) -> Response:
    """The picture as it was uploaded, upright, as PNG."""
    found = await _upload(parts, caller, image_id)
    content = await _stored(parts, found.image.object_key, "image")
    return _png(await asyncio.to_thread(_as_png, content, limits(parts.settings)))


@router.get(
    "/image-api/processed-image/{image_id}/", response_class=Response, responses={**_PNG, **problems(403, 404, 410)}
)
@router.get("/image-api/processed-image/{image_id}", include_in_schema=False)
async def processed_image(image_id: UUID, parts: PartsOf, caller: Caller) -> Response:
    """A result as PNG."""
    found = await queries.output(parts.engine, caller.tenant, image_id)
    if found is None:
        raise NotFound("image")
    return _png(await _stored(parts, found.object_key, "result"), {"ETag": f'"{found.sha256}"'})


def _as_png(content: bytes, most: Limits) -> bytes:
    return encode(decode(content, alpha="keep", limits=most), Output(format="png", alpha="keep"))


def _png(content: bytes, headers: dict[str, str] | None = None) -> Response:
    safe = {name: value for name, value in safe_headers("").items() if name != "ETag"}
    return Response(content, media_type="image/png", headers={**safe, **(headers or {})})


async def _upload(parts: Parts, caller: User, upload_id: UUID) -> Upload:
    found = await seed_queries.upload(parts.engine, caller.tenant, upload_id)
    if found is None:
        raise NotFound("image")
    return found


async def _stored(parts: Parts, key: str, what: str) -> bytes:
    try:
        return await parts.store.get(key)
    except SourceMissing:
        raise Gone(what) from None


async def _uploaded(request: Request, parts: Parts) -> tuple[bytes, str]:
    """Bytes and name of the part `image`; other parts are passed over."""
    limit = parts.settings.max_image_bytes
    found: tuple[bytes, str] | None = None
    head, content = PartHead("", None), bytearray()
    async for event in body_parts(request, limit + _SLACK_BYTES, _MAX_PARTS, parts.settings):
        if isinstance(event, PartHead):
            head, content = event, bytearray()
        elif event is None:
            if head.field == "image":
                found = bytes(content), head.filename or ""
        elif head.field == "image":
            content += event
            if len(content) > limit:
                raise PayloadTooLarge("the part `image`", limit)
    if found is None:
        raise ValidationError("the part `image` is missing", "/image")
    return found
