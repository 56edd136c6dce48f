"""`/v1/batches`: many pictures at once, and everything about what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from batching import failpoints
from service.ids import new_id
from service.routes.documented import (
    BINARY,
    CACHE_CONTROL,
    IDEMPOTENCY_KEY,
    PREFER,
    SUBMIT_STATUSES,
    body_of,
    headers_of,
    multipart_schema,
    problems,
    schema_of,
)
from service.routes.shared import Cursor, Limit, PartsOf, Tenant, answer, cursor_of, id_of, position_of, wait_s, wants_fresh
from service.schemas import BatchImagesRequest, BatchRequest
from service.truth import queries
from service.truth.database import AsyncEngine
from service.truth.submissions import Key
from service.uploads.json_text import check_text
from service.uploads.receive import receive
from service.usecases import await_batch, find_batch, fingerprint, idempotency_key, submit
from service.view_schemas import BatchPage, BatchState, BatchView, ItemPage, ItemState
from service.views import batch_view, item_view, output_view

router = APIRouter(prefix="/v1/batches", tags=["batches"])

_PAGE = 500


@router.post(
    "",
    status_code=202,
    responses={
        202: {"description": "Accepted: every picture is kept.", "model": BatchView, "headers": headers_of("Location")},
        **problems(404, *SUBMIT_STATUSES),
    },
    openapi_extra={
        "parameters": [IDEMPOTENCY_KEY, CACHE_CONTROL],
        "requestBody": body_of(
            {
                "multipart/form-data": multipart_schema(
                    BatchRequest, {"images": {"type": "array", "items": BINARY}, "archive": BINARY}
                ),
                "application/json": schema_of(BatchImagesRequest),
            }
        ),
    },
)
async def create_batch(request: Request, parts: PartsOf, tenant: Tenant) -> Response:
    """Takes many pictures under one recipe.

    Multipart: part `request` first, then parts `images`, or one part `archive` (tar, tar.gz, zip). JSON: pictures that were
    uploaded before. A picture that cannot be read is that picture's failure; the batch is accepted.
    """
    key = idempotency_key(request.headers.get("idempotency-key"))
    await parts.depth.check_room(tenant, int(key is None))  # what was sent before is answered however much waits
    batch_id = new_id()
    with parts.key_claimed(tenant, key):
        received = await receive(request, parts, tenant, batch_id)
        failpoints.hit("object_put")
        claimed = Key(key, fingerprint(received.document, received.sent)) if key else None
        ask, chosen, sent = received.ask, received.chosen, received.sent
        submitted = await submit(parts, tenant, batch_id, ask, chosen, sent, claimed, fresh=wants_fresh(request))
    return answer(batch_view(submitted.batch), 202, {"Location": f"/v1/batches/{submitted.batch.id}"})


@router.get("", responses={200: {"model": BatchPage}, **problems()})
async def list_batches(
    parts: PartsOf,
    tenant: Tenant,
    state: BatchState | None = None,
    group: Annotated[str | None, Query(max_length=255)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Batches, newest first."""
    if group is not None:
        check_text(group, "/group")
    found = await queries.batches(parts.engine, tenant, state, group, id_of(cursor), limit)
    following = cursor_of(found[-1].id) if len(found) == limit else None
    return answer(BatchPage(batches=[batch_view(batch) for batch in found], next=following))


@router.get("/{batch_id}", responses={200: {"model": BatchView}, **problems(404)}, openapi_extra={"parameters": [PREFER]})
async def view_batch(request: Request, batch_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """One batch; with `Prefer: wait=SECONDS`, when it is final or that time is over."""
    seconds = wait_s(request, parts)
    if seconds:
        return answer(batch_view(await await_batch(parts, tenant, batch_id, seconds)))
    return answer(batch_view(await find_batch(parts, tenant, batch_id)))


@router.get("/{batch_id}/items", responses={200: {"model": ItemPage}, **problems(404)})
async def list_items(
    batch_id: UUID,
    parts: PartsOf,
    tenant: Tenant,
    state: ItemState | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Pictures of a batch in the order they were sent, with their results."""
    await find_batch(parts, tenant, batch_id)
    items = await queries.items(parts.engine, tenant, batch_id, state, position_of(cursor), limit)
    outputs: dict[UUID, list[queries.Output]] = {}
    made = [item.id for item in items if item.state == "succeeded"]
    for output in await queries.outputs_of(parts.engine, tenant, made):
        outputs.setdefault(output.item_id, []).append(output)
    following = cursor_of(items[-1].position) if len(items) == limit else None
    return answer(ItemPage(items=[item_view(item, outputs.get(item.id, ())) for item in items], next=following))


@router.get(
    "/{batch_id}/outputs",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One result a line.",
            "content": {"application/jsonl": {"schema": {"$ref": "#/components/schemas/OutputView"}}},
        },
        **problems(404),
    },
)
async def list_outputs(batch_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Every result so far as JSON lines, in the order of the pictures."""
    await find_batch(parts, tenant, batch_id)
    first = await queries.outputs_page(parts.engine, tenant, batch_id, None, _PAGE)
    return StreamingResponse(_output_lines(parts.engine, tenant, batch_id, first), media_type="application/jsonl")


async def _output_lines(
    engine: AsyncEngine, tenant: str, batch_id: UUID, page: list[queries.Output]
) -> AsyncIterator[bytes]:
    while page:
        yield b"".join(output_view(output).model_dump_json().encode() + b"\n" for output in page)
        if len(page) < _PAGE:
            return
        page = await queries.outputs_page(engine, tenant, batch_id, (page[-1].item_id, page[-1].variant), _PAGE)
