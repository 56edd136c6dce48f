"""What can be done with a batch: follow it, fetch it whole, cancel it, run its failed pictures again, delete it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse

from service.archive import MEDIA_TYPES, ArchiveFormat, archive
from service.errors import BatchNotFinal
from service.progress import events, parse_mark
from service.routes.documented import BINARY, problems
from service.routes.shared import PartsOf, Tenant, answer
from service.usecases import cancel, delete_batch, find_batch, retry
from service.view_schemas import BatchView
from service.views import batch_view

router = APIRouter(prefix="/v1/batches/{batch_id}", tags=["batches"])

_STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "All of them were read before."},
        **problems(404),
    },
)
async def follow_batch(
    batch_id: UUID, parts: PartsOf, tenant: Tenant, last_event_id: Annotated[str | None, Header(max_length=200)] = None
) -> Response:
    """Server-Sent Events: `progress` with the batch, `item_failed` with the item, `completed` last.

    After a reconnect with `Last-Event-ID` a failure of the last two seconds may be told a second time.
    """
    batch = await find_batch(parts, tenant, batch_id)
    mark = parse_mark(last_event_id)
    if mark.final and batch.final and mark.generation == batch.generation:
        return Response(status_code=204)  # which ends an EventSource's reconnecting
    return StreamingResponse(events(parts, tenant, batch_id, mark), media_type="text/event-stream", headers=_STREAMED)


@router.get(
    "/archive",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The archive.", "content": {media: {"schema": BINARY} for media in MEDIA_TYPES.values()}},
        **problems(404, 409),
    },
)
async def read_archive(
    batch_id: UUID,
    parts: PartsOf,
    tenant: Tenant,
    form: Annotated[ArchiveFormat, Query(alias="format")] = "zip",
    partial: bool = False,
) -> Response:
    """All results in one file: `{name}/{variant}.{ext}`, and `manifest.jsonl` with one result a line."""
    batch = await find_batch(parts, tenant, batch_id)
    if not batch.final and not partial:
        raise BatchNotFinal(batch.state)
    headers = {**_STREAMED, "Content-Disposition": f'attachment; filename="batch-{batch.id}.{form}"'}
    pieces = archive(parts.engine, parts.store, tenant, batch.id, form, batch.finished_at or datetime.now(UTC))
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[form], headers=headers)


@router.post("/cancel", responses={200: {"model": BatchView}, **problems(404, 409)})
async def cancel_batch(batch_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Ends a batch: what is not finished is cancelled, what is finished is kept."""
    return answer(batch_view(await cancel(parts, tenant, batch_id)))


@router.post("/retry", status_code=202, responses={202: {"model": BatchView}, **problems(404, 409, 429)})
async def retry_batch(batch_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Runs the failed pictures again, and only those. Pictures that were refused when they were sent stay failed.

    What runs again counts as submitted again: against the rates and quotas, and in what you use.
    """
    return answer(batch_view(await retry(parts, tenant, batch_id)), 202, {"Location": f"/v1/batches/{batch_id}"})


@router.delete("", status_code=204, response_class=Response, responses=problems(404))
async def remove_batch(batch_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Cancels a batch, and removes it with all of its results."""
    await delete_batch(parts, tenant, batch_id)
    return Response(status_code=204)
