"""`POST /v1/augment`: one picture, sent in one of three ways, and its results when they are ready in time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from batching import failpoints
from batching.errors import SourceMissing
from kernels.rng import MAX_SEED
from service.auth import tenant_of
from service.errors import BadRequest, EmptyBody, Gone, ItemFailed, NotFound, PayloadTooLarge, ValidationError
from service.ids import new_id
from service.named_recipes import choose
from service.object_keys import Owner
from service.parts import Parts
from service.routes.content import media_type_of, safe_headers
from service.routes.documented import (
    BINARY,
    CACHE_CONTROL,
    IDEMPOTENCY_KEY,
    PREFER,
    RESULT_TYPES,
    SUBMIT_STATUSES,
    body_of,
    headers_of,
    multipart_schema,
    problems,
    schema_of,
)
from service.routes.shared import answer, parts_of, wait_s, wants_fresh
from service.schemas import AugmentImageRequest, AugmentRequest, checked
from service.truth import queries
from service.truth.submissions import Key
from service.uploads.bodies import PartHead, whole_body
from service.uploads.bodies import parts as body_parts
from service.uploads.intake import Intake, Sent
from service.uploads.json_text import escaped, parse_json, parse_long_json
from service.usecases import await_batch, fingerprint, idempotency_key, submit
from service.view_schemas import BatchView
from service.views import batch_view, content_path, output_view

router = APIRouter(prefix="/v1", tags=["augment"])

_SLACK_BYTES = 64 * 1024
"""Room for the headers and boundaries of a multipart body."""
_QUERY = ("request", "recipe", "seed", "variants")
CACHE_HIT = {"Cache-Status": "augment; hit"}
"""RFC 9211: copies of earlier results; an item has all of its results from there, or none."""
_NUMBER = re.compile(r"-?[0-9]{1,20}")
_RAW_PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": schema, "description": f"For a picture as the body: {text}"}
    for name, schema, text in (
        ("request", {"type": "string"}, "the whole request object as JSON."),
        ("recipe", {"type": "string"}, "the name of a stored recipe, instead of `request`."),
        ("seed", {"type": "integer", "minimum": 0, "maximum": MAX_SEED}, "seed, beside `recipe`."),
        ("variants", {"type": "integer", "minimum": 1}, "number of results, beside `recipe`."),
    )
]


@dataclass(frozen=True)
class _Asked:
    """A request as it was read: the JSON as sent, the same checked, and the picture or its id."""

    document: Any
    ask: AugmentRequest
    content: bytes | None
    filename: str | None
    image_id: UUID | None = None


@router.post(
    "/augment",
    status_code=202,
    responses={
        200: {
            "description": "Done in time: the picture, or the list of results where there are several or they have labels.",
            "headers": headers_of("X-Batch-Id", "X-Seed", "X-Output-Id", "ETag", "Content-Location", "Cache-Status"),
            "content": {
                **{media: {"schema": {"type": "string", "format": "binary"}} for media in RESULT_TYPES},
                "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/OutputView"}}},
            },
        },
        202: {
            "description": "Accepted: the batch of this one picture.",
            "model": BatchView,
            "headers": headers_of("Location", "Retry-After"),
        },
        **problems(404, *SUBMIT_STATUSES),
    },
    openapi_extra={
        "parameters": [PREFER, IDEMPOTENCY_KEY, CACHE_CONTROL, *_RAW_PARAMETERS],
        "requestBody": body_of(
            {
                "multipart/form-data": multipart_schema(AugmentRequest, {"image": BINARY}),
                "application/json": schema_of(AugmentImageRequest),
                "image/*": BINARY,
                "application/octet-stream": BINARY,
            }
        ),
    },
)
async def augment(request: Request) -> Response:
    """Makes one or several variants of one picture.

    With `Prefer: wait=SECONDS`, and when it is done in time, the answer is the result itself: the picture's bytes, or the
    list of results where there are several or they have labels. Otherwise it is the batch, to be asked again.
    """
    # asked for here, for FastAPI's own way to hand them in costs a tenth of a small request
    parts, tenant = await parts_of(request), await tenant_of(request)
    key = idempotency_key(request.headers.get("idempotency-key"))
    seconds = wait_s(request, parts)
    await parts.depth.check_room(tenant)
    batch_id = new_id()
    # begun before the hand-off, so that no result comes before somebody listens
    with parts.waiting.watch(batch_id) as watch:
        with parts.key_claimed(tenant, key):
            asked = await _read(request, parts)
            failpoints.hit("body_read")
            chosen = await choose(parts, tenant, asked.ask.recipe, asked.ask.output)
            parts.recipes.check_variants(asked.ask.variants)
            sent = await _taken_in(parts, Owner(tenant, "sources", batch_id), asked)
            failpoints.hit("object_put")
            claimed = Key(key, fingerprint(asked.document, [sent])) if key else None
            fresh = wants_fresh(request)
            submitted = await submit(parts, tenant, batch_id, asked.ask, chosen, [sent], claimed, fresh=fresh)
        batch = submitted.batch
        if seconds and not batch.final:
            clock = asyncio.get_running_loop().time
            end = clock() + seconds
            if submitted.new and await watch.change(seconds) and (outputs := await parts.results.ask((tenant, batch.id))):
                return await _results(parts, tenant, batch, outputs, asked.ask)  # an item has all of its results or none
            batch = await await_batch(parts, tenant, batch.id, end - clock())
    if batch.final and seconds:
        return await _results(parts, tenant, batch, await _outputs(parts, tenant, batch), asked.ask)
    return answer(batch_view(batch), 202, {"Location": f"/v1/batches/{batch.id}", "Retry-After": "1"})


async def _read(request: Request, parts: Parts) -> _Asked:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _read_multipart(request, parts)
    if media_type == "application/json":
        body = await whole_body(request, parts.settings.max_json_bytes, parts.settings)
        if not body:
            raise EmptyBody
        document = await parse_long_json(body)
        ask = checked(AugmentImageRequest, document)
        return _Asked(document, ask, None, None, ask.image_id)
    if not request.query_params and not await whole_body(request, parts.settings.max_image_bytes, parts.settings):
        raise EmptyBody
    document = _query_document(request)
    ask_raw = checked(AugmentRequest, document)
    body = await whole_body(request, parts.settings.max_image_bytes, parts.settings)
    if not body:
        raise EmptyBody
    return _Asked(document, ask_raw, body, None)


def _query_document(request: Request) -> Any:
    """The request object of a raw body: in the parameter `request`, or made of `recipe`, `seed` and `variants`."""
    given = request.query_params
    for name in given:
        if name not in _QUERY:
            raise ValidationError(f"unknown parameter; there are {', '.join(_QUERY)}", f"/{escaped(name)}")
    if "request" in given:
        if len(given) > 1:
            raise ValidationError("the parameter `request` holds everything; leave the others out", "/request")
        return parse_json(given["request"].encode("utf-8", "surrogateescape"), "the parameter `request`")
    if "recipe" not in given:
        raise ValidationError("the request object is missing: send it as the parameter `request`", "/recipe")
    document: dict[str, Any] = {"recipe": given["recipe"]}
    for name in ("seed", "variants"):
        if name in given:
            document[name] = int(given[name]) if _NUMBER.fullmatch(given[name]) else given[name]
    return document


async def _read_multipart(request: Request, parts: Parts) -> _Asked:
    limits = {"request": parts.settings.max_json_bytes, "image": parts.settings.max_image_bytes}
    found: dict[str, tuple[str | None, bytes]] = {}
    head = PartHead("", None)
    content = bytearray()
    async for event in body_parts(request, sum(limits.values()) + _SLACK_BYTES, 8, parts.settings):
        if isinstance(event, PartHead):
            head, content = event, bytearray()
            if head.field not in limits:
                raise BadRequest(f"there is no part {head.field[:80]!a}; the parts are `request` and `image`")
            if head.field in found:
                raise BadRequest(f"the part `{head.field}` is there twice")
        elif event is None:
            found[head.field] = head.filename, bytes(content)
        else:
            content += event
            if len(content) > limits[head.field]:
                raise PayloadTooLarge(f"the part `{head.field}`", limits[head.field])
    for field in limits:
        if field not in found:
            raise BadRequest(f"the part `{field}` is missing")
    if not found["request"][1]:
        raise EmptyBody("the part `request`")
    document = await parse_long_json(found["request"][1], "the part `request`")
    filename, image = found["image"]
    return _Asked(document, checked(AugmentRequest, document), image, filename)


async def _taken_in(parts: Parts, owner: Owner, asked: _Asked) -> Sent:
    intake = Intake(parts.store, parts.settings, owner, alone=True)
    if asked.image_id is not None:
        image = await queries.image(parts.engine, owner.tenant, asked.image_id)
        if image is None:
            raise NotFound("image")
        intake.refer(asked.ask.custom_id, image)
    else:
        await intake.add(asked.ask.custom_id or asked.filename, asked.content or b"")
    return (await intake.stored())[0]


async def _outputs(parts: Parts, tenant: str, batch: queries.Batch) -> Sequence[queries.Output]:
    return await queries.outputs_page(parts.engine, tenant, batch.id, None, batch.variants)


async def _results(
    parts: Parts, tenant: str, batch: queries.Batch, outputs: Sequence[queries.Output], ask: AugmentRequest
) -> Response:
    """The answer for a finished batch of one picture. ItemFailed, Gone."""
    if not outputs:
        [item] = await queries.items(parts.engine, tenant, batch.id, None, -1, 1)
        if item.state == "succeeded":
            raise Gone("result")
        raise ItemFailed(
            item.error_code or item.state, item.error_detail or f"the picture was {item.state}", item.custom_id
        )
    if batch.variants > 1 or ask.labels is not None:
        views = [output_view(output).model_dump(mode="json") for output in outputs]
        return Response(to_json(views), media_type="application/json", headers=_facts(batch, outputs))
    output = outputs[0]
    try:
        content = await parts.store.get(output.object_key)
    except SourceMissing:
        raise Gone("result") from None
    headers = {
        **_facts(batch, outputs),
        **safe_headers(output.sha256),
        "Content-Location": content_path(output.id),
        "X-Output-Id": str(output.id),
    }
    return Response(content, media_type=media_type_of(output.format), headers=headers)


def _facts(batch: queries.Batch, outputs: Sequence[queries.Output]) -> dict[str, str]:
    facts = {"X-Batch-Id": str(batch.id), "X-Seed": str(batch.seed)}
    return facts | CACHE_HIT if outputs[0].cached else facts
