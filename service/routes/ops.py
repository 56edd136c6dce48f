"""`/v1/ops`: the catalogue of operations, as their declarations say."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

from kernels.op import Op
from kernels.ops import OPS
from service.auth import tenant_of
from service.catalogue.entry import entry
from service.catalogue.names import called
from service.errors import NotFound
from service.routes.content import is_known, safe_headers
from service.routes.documented import headers_of, problems
from service.view_schemas import OpPage, OpView

router = APIRouter(prefix="/v1/ops", tags=["recipes"], dependencies=[Depends(tenant_of)])
_drawing = ThreadPoolExecutor(1, "catalogue")
"""Pictures of the catalogue are made by one thread, however many are asked for at once."""


@router.get("", responses={200: {"model": OpPage}, **problems()})
async def list_ops() -> Response:
    """Every operation: section, kind, what becomes of labels, speed, fields with units, JSON Schema, examples."""
    return Response(await asyncio.to_thread(_catalogue), media_type="application/json")


@router.get("/{name}", responses={200: {"model": OpView}, **problems(404)})
async def view_op(name: str) -> Response:
    """One operation, by its name here or by what another library calls it: `name` says what it is called here."""
    return Response(to_json(await asyncio.to_thread(entry, _op(name))), media_type="application/json")


@router.get(
    "/{name}/picture",
    responses={
        200: {"description": "The picture, WebP.", "content": {"image/webp": {}}, "headers": headers_of("ETag")},
        304: {"description": "It is the one that the caller has."},
        **problems(404),
    },
)
async def picture_op(name: str, request: Request) -> Response:
    """What an operation does: the sample picture, an example, and draws of its usual fields, side by side."""
    op = _op(name)
    found = await asyncio.get_running_loop().run_in_executor(_drawing, _picture, op.name)
    headers = {**safe_headers(found.sha256), "Cache-Control": "private, max-age=3600"}
    if is_known(request, found.sha256):
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type="image/webp")


def _op(name: str) -> Op:
    found = called(name)
    if not found:
        raise NotFound("operation; `GET /v1/ops` lists them")
    return OPS[found[0]]


@cache
def _catalogue() -> bytes:
    return to_json({"ops": [entry(op) for op in OPS.values()]})


@dataclass(frozen=True)
class _Encoded:
    content: bytes
    sha256: str


@cache
def _picture(name: str) -> _Encoded:
    from service.catalogue.picture import as_webp, illustrated  # loads what computes pictures: not before it is asked for

    content = as_webp(illustrated(OPS[name]))
    return _Encoded(content, hashlib.sha256(content).hexdigest())
