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
from service.depth import Load
from service.errors import BadRequest, EmptyBody, Gone, ItemFailed, NotFound, PayloadTooLarge, ValidationError
from service.ids import new_id
from service.known import Known
from service.named_recipes import Chosen, choose
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
_MULTIPART, _JSON = _IN_BODY = ("multipart/form-data", "application/json")
"""What holds the request object too; beside any other body it is in the query."""
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
    """A request as it was read: what is asked for, and the picture or its id."""

    known: Known
    content: bytes | None
    filename: str | None
    image_id: UUID | None = None

    @property
    def ask(self) -> AugmentRequest:
        return self.known.ask


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
    new = int(key is None)  # what was sent before is answered however much waits
    known = _known(request, parts)
    # the priority is known before the body where the request is; the lenient one is taken otherwise
    await parts.depth.check_room(tenant, new, known.ask.priority if known else "bulk")
    batch_id = new_id()
    # begun before the hand-off, so that no result comes before somebody listens
    with parts.waiting.watch(batch_id) as watch:
        with parts.key_claimed(tenant, key):
            async with parts.depth.arriving(tenant, may_refuse=bool(new)):
                asked = await _read(request, parts, known)
                failpoints.hit("body_read")
                chosen = await _chosen(parts, tenant, asked.known)
                parts.recipes.check_variants(asked.ask.variants)
            await parts.depth.check_room(tenant, new, asked.ask.priority)  # nothing is stored of what is refused
            with parts.depth.reserved(tenant, Load(asked.ask.priority, new)):
                sent = await _taken_in(parts, Owner(tenant, "sources", batch_id), asked)
                failpoints.hit("object_put")
            claimed = Key(key, fingerprint(asked.known.document, [sent])) if key else None
            fresh = wants_fresh(request)
            submitted = await submit(parts, tenant, batch_id, asked.ask, chosen, [sent], claimed, fresh=fresh)
        batch = submitted.batch
        if seconds and not batch.final:
            clock = asyncio.get_running_loop().time
            end = clock() + seconds
            # an item has all of its results or none
            if submitted.new and await watch.change(seconds):
                if _is_one_picture(batch, asked.ask):
                    if result := await parts.results.ask((tenant, submitted.item_ids[0])):
                        return await _picture(parts, batch, result)
                elif outputs := await _outputs(parts, tenant, batch):
                    return await _results(parts, tenant, batch, outputs, asked.ask)
            batch = await await_batch(parts, tenant, batch.id, end - clock())
    if batch.final and seconds:
        return await _results(parts, tenant, batch, await _outputs(parts, tenant, batch), asked.ask)
    return answer(batch_view(batch), 202, {"Location": f"/v1/batches/{batch.id}", "Retry-After": "1"})


def _known(request: Request, parts: Parts) -> Known | None:
    """What the query asks for, if it was read before; None where the body says it."""
    return None if _media_type(request) in _IN_BODY else parts.asked.get("query", request.scope["query_string"])


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _chosen(parts: Parts, tenant: str, known: Known) -> Chosen:
    if known.chosen is not None:
        return known.chosen
    chosen = await choose(parts, tenant, known.ask.recipe, known.ask.output)
    if chosen.name is None:
        known.chosen = chosen
    return chosen


async def _read(request: Request, parts: Parts, known: Known | None) -> _Asked:
    media_type = _media_type(request)
    if media_type == _MULTIPART:
        return await _read_multipart(request, parts)
    if media_type == _JSON:
        body = await whole_body(request, parts.settings.max_json_bytes, parts.settings)
        if not body:
            raise EmptyBody
        document = await parse_long_json(body)
        ask = checked(AugmentImageRequest, document)
        return _Asked(Known(document, ask), None, None, ask.image_id)
    query: bytes = request.scope["query_string"]
    if known is None:
        if not query and not await whole_body(request, parts.settings.max_image_bytes, parts.settings):
            raise EmptyBody
        document = _query_document(request)
        known = parts.asked.keep("query", query, Known(document, checked(AugmentRequest, document)))
    body = await whole_body(request, parts.settings.max_image_bytes, parts.settings)
    if not body:
        raise EmptyBody
    return _Asked(known, body, None)


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
    sent = found["request"][1]
    if (known := parts.asked.get("part", sent)) is None:
        document = await parse_long_json(sent, "the part `request`")
        known = parts.asked.keep("part", sent, Known(document, checked(AugmentRequest, document)))
    filename, image = found["image"]
    return _Asked(known, image, filename)


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
    if not _is_one_picture(batch, ask):
        views = [output_view(output).model_dump(mode="json") for output in outputs]
        return Response(to_json(views), media_type="application/json", headers=_facts(batch, outputs[0]))
    return await _picture(parts, batch, outputs[0])


def _is_one_picture(batch: queries.Batch, ask: AugmentRequest) -> bool:
    """Whether the answer is a picture: one result, and nothing to be said beside it."""
    return batch.variants == 1 and ask.labels is None


async def _picture(parts: Parts, batch: queries.Batch, output: queries.Output | queries.Result) -> Response:
    """The bytes of a result. Gone."""
    try:
        content = await parts.store.get(output.object_key)
    except SourceMissing:
        raise Gone("result") from None
    headers = {
        **_facts(batch, output),
        **safe_headers(output.sha256),
        "Content-Location": content_path(output.id),
        "X-Output-Id": str(output.id),
    }
    return Response(content, media_type=media_type_of(output.format), headers=headers)


def _facts(batch: queries.Batch, output: queries.Output | queries.Result) -> dict[str, str]:
    facts = {"X-Batch-Id": str(batch.id), "X-Seed": str(batch.seed)}
    return facts | CACHE_HIT if output.cached else facts
