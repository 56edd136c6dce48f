"""`/v1/outputs`: one result, its lineage and its bytes."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from service.errors import NotFound
from service.names import EXTENSIONS
from service.replay import replay
from service.routes.content import media_type_of, stored_content
from service.routes.documented import CONTENT_PARAMETERS, CONTENT_RESPONSES, PREFER, problems
from service.routes.shared import PartsOf, Tenant, answer, wait_s
from service.truth import queries
from service.usecases import delete_output
from service.view_schemas import OutputView, ReplayView
from service.views import output_view, replay_view

router = APIRouter(prefix="/v1/outputs", tags=["outputs"])


@router.get("/{output_id}", responses={200: {"model": OutputView}, **problems(404)})
async def view_output(output_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """One result, and everything it came from."""
    found = await queries.output(parts.engine, tenant, output_id)
    if found is None:
        raise NotFound("output")
    return answer(output_view(found))


@router.head("/{output_id}/content", include_in_schema=False)
@router.get(
    "/{output_id}/content",
    response_class=Response,
    responses={**CONTENT_RESPONSES, **problems(404, 410, 416)},
    openapi_extra={"parameters": CONTENT_PARAMETERS},
)
async def read_output(request: Request, output_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """The bytes of one result."""
    found = await queries.output(parts.engine, tenant, output_id)
    if found is None:
        raise NotFound("output")
    headers = {
        "Content-Type": media_type_of(found.format),
        "Content-Disposition": f'inline; filename="{found.id}.{EXTENSIONS[found.format]}"',
        "X-Output-Id": str(found.id),
        "X-Seed": str(found.seed),
    }
    return await stored_content(request, parts, "result", found.object_key, found.bytes, found.sha256, headers)


@router.post(
    "/{output_id}/replay",
    response_model=ReplayView,
    responses=problems(404, 410, 429),
    openapi_extra={"parameters": [PREFER]},
)
async def replay_output(request: Request, output_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Makes one result again from all it came from, and says whether the bytes are the same.

    A worker does it before bulk work; it counts like a submitted picture, and nothing of it stays. 503 with `Retry-After`
    where it was not done within the preferred time, or the longest that is waited.
    """
    replayed = await replay(parts, tenant, output_id, wait_s(request, parts) or parts.settings.max_wait_s)
    return answer(replay_view(replayed))


@router.delete("/{output_id}", status_code=204, response_class=Response, responses=problems(404))
async def remove_output(output_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Removes one result. The counts of its batch stay as they are."""
    await delete_output(parts, tenant, output_id)
    return Response(status_code=204)
