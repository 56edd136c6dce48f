"""`/v1/images`: pictures that are uploaded once and used often."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from service.errors import BadRequest, NotFound, PayloadTooLarge
from service.parts import Parts
from service.routes.content import media_type_of, stored_content
from service.routes.documented import (
    BINARY,
    CONTENT_PARAMETERS,
    CONTENT_RESPONSES,
    SUBMIT_STATUSES,
    body_of,
    problems,
)
from service.routes.shared import Cursor, Limit, PartsOf, Tenant, answer, cursor_of, id_of
from service.truth import queries
from service.uploads.bodies import PartHead, whole_body
from service.uploads.bodies import parts as body_parts
from service.usecases import delete_image, keep_image
from service.view_schemas import ImagePage, ImageView
from service.views import image_view

router = APIRouter(prefix="/v1/images", tags=["images"])

_SLACK_BYTES = 64 * 1024


@router.post(
    "",
    status_code=201,
    responses={
        200: {"description": "These bytes were uploaded before.", "model": ImageView},
        201: {"description": "Kept.", "model": ImageView},
        **problems(*SUBMIT_STATUSES),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "filename",
                "in": "query",
                "required": False,
                "schema": {"type": "string", "maxLength": 4096},
                "description": "Name of a picture that is sent as the body.",
            }
        ],
        "requestBody": body_of(
            {
                "image/*": BINARY,
                "application/octet-stream": BINARY,
                "multipart/form-data": {"type": "object", "properties": {"image": BINARY}, "required": ["image"]},
            }
        ),
    },
)
async def upload_image(request: Request, parts: PartsOf, tenant: Tenant) -> Response:
    """Keeps one picture: as the body, or as the part `image` of a multipart body. The same bytes are kept once."""
    await parts.depth.check_room(tenant)
    content, filename = await _read(request, parts)
    image, new = await keep_image(parts, tenant, content, filename)
    return answer(image_view(image), 201 if new else 200, {"Location": f"/v1/images/{image.id}"})


async def _read(request: Request, parts: Parts) -> tuple[bytes, str]:
    limit = parts.settings.max_image_bytes
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await whole_body(request, limit, parts.settings), request.query_params.get("filename", "")
    found: tuple[bytes, str] | None = None
    head = PartHead("", None)
    content = bytearray()
    async for event in body_parts(request, limit + _SLACK_BYTES, 4, parts.settings):
        if isinstance(event, PartHead):
            head, content = event, bytearray()
            if head.field != "image" or found:
                raise BadRequest("send one part, `image`")
        elif event is None:
            found = bytes(content), head.filename or ""
        else:
            content += event
            if len(content) > limit:
                raise PayloadTooLarge("the part `image`", limit)
    if found is None:
        raise BadRequest("the part `image` is missing")
    return found


@router.get("", responses={200: {"model": ImagePage}, **problems()})
async def list_images(parts: PartsOf, tenant: Tenant, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Uploaded pictures, newest first."""
    found = await queries.images(parts.engine, tenant, id_of(cursor), limit)
    following = cursor_of(found[-1].id) if len(found) == limit else None
    return answer(ImagePage(images=[image_view(image) for image in found], next=following))


@router.get("/{image_id}", responses={200: {"model": ImageView}, **problems(404)})
async def view_image(image_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """What is known of one uploaded picture."""
    return answer(image_view(await _find(parts, tenant, image_id)))


@router.head("/{image_id}/content", include_in_schema=False)
@router.get(
    "/{image_id}/content",
    response_class=Response,
    responses={**CONTENT_RESPONSES, **problems(404, 410, 416)},
    openapi_extra={"parameters": CONTENT_PARAMETERS},
)
async def read_image(request: Request, image_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """The bytes as they were uploaded, as an attachment."""
    found = await _find(parts, tenant, image_id)
    headers = {
        "Content-Type": media_type_of(found.format),
        "Content-Disposition": f'attachment; filename="{found.id}.{found.format}"',
    }
    return await stored_content(request, parts, "image", found.object_key, found.bytes, found.sha256, headers)


@router.delete("/{image_id}", status_code=204, response_class=Response, responses=problems(404))
async def remove_image(image_id: UUID, parts: PartsOf, tenant: Tenant) -> Response:
    """Hides one picture at once; its bytes go when no unfinished item needs them."""
    await delete_image(parts, tenant, image_id)
    return Response(status_code=204)


async def _find(parts: Parts, tenant: str, image_id: UUID) -> queries.Image:
    found = await queries.image(parts.engine, tenant, image_id)
    if found is None:
        raise NotFound("image")
    return found
