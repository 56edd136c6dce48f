"""`/v1/ops`: the catalogue of operations, as their declarations say."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic_core import to_json

from kernels.aliases import elsewhere, ops_called
from kernels.op import Op
from kernels.ops import OPS
from service.auth import tenant_of
from service.errors import NotFound
from service.routes.documented import problems
from service.view_schemas import OpPage, OpView

router = APIRouter(prefix="/v1/ops", tags=["recipes"], dependencies=[Depends(tenant_of)])


@router.get("", responses={200: {"model": OpPage}, **problems()})
async def list_ops() -> Response:
    """Every operation: the JSON Schema of its fields with ranges and units, its kind, whether labels move, examples."""
    return Response(_catalogue(), media_type="application/json")


@router.get("/{name}", responses={200: {"model": OpView}, **problems(404)})
async def view_op(name: str) -> Response:
    """One operation, by its name here or by what another library calls it: `name` says what it is called here."""
    if name not in OPS:
        name = next((op for op in ops_called(name) if op in OPS), "")
    if not name:
        raise NotFound("operation; `GET /v1/ops` lists them")
    return Response(to_json(_document(OPS[name])), media_type="application/json")


@cache
def _catalogue() -> bytes:
    return to_json({"ops": [_document(op) for op in OPS.values()]})


def _document(op: Op) -> dict[str, Any]:
    return {
        "name": op.name,
        "summary": op.summary,
        "kind": op.kind_name,
        "moves_labels": op.moves_labels,
        "aliases": elsewhere(op.name),
        "schema": op.params.model_json_schema(),
        "examples": [example.model_dump(mode="json") for example in op.examples],
    }
