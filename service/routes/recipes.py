"""`POST /v1/recipes/validate`: what a recipe means, before any picture is sent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic_core import to_json

from kernels.errors import RecipeInvalid
from kernels.explain import explain
from kernels.op import Blend, Container, Mix, Op, Policy
from kernels.ops import OPS
from kernels.plan import plan
from kernels.recipe import Recipe, preorder
from kernels.tensors import Size
from kernels.tree import Step, Tree, tree
from service.auth import tenant_of
from service.errors import EmptyBody
from service.routes.documented import body_of, problems, schema_of
from service.routes.shared import PartsOf
from service.schemas import ValidateRequest, checked
from service.uploads.bodies import whole_body
from service.uploads.json_text import parse_long_json
from service.view_schemas import RecipeReport

router = APIRouter(prefix="/v1/recipes", tags=["recipes"], dependencies=[Depends(tenant_of)])


@router.post(
    "/validate",
    responses={200: {"model": RecipeReport}, **problems(400, 408, 413)},
    openapi_extra={"requestBody": body_of({"application/json": schema_of(ValidateRequest)})},
)
async def validate(request: Request, parts: PartsOf) -> Response:
    """Checks a recipe, and answers how it is run: its stages, the size of results, an estimate of cost."""
    body = await whole_body(request, parts.settings.max_json_bytes, parts.settings)
    if not body:
        raise EmptyBody
    ask = checked(ValidateRequest, await parse_long_json(body))
    recipe = parts.recipes.effective(ask.recipe, None)
    parts.recipes.check_variants(ask.variants)
    size = Size(*ask.size)
    cost = parts.recipes.cost_pixels(recipe, size, ask.variants)
    report = await asyncio.to_thread(_report, recipe, size, ask, cost)
    return Response(to_json(report), media_type="application/json")


def _report(recipe: Recipe, size: Size, ask: ValidateRequest, cost_pixels: int) -> dict[str, Any]:
    try:
        planned = plan(recipe, ask.seed, 0, 0, size)
        explanation = explain(recipe, size, ask.seed)
    except RecipeInvalid as error:
        raise RecipeInvalid(error.reason, f"/recipe{error.pointer}") from None
    return {
        "valid": True,
        "recipe": recipe.document(),
        "recipe_digest": recipe.digest,
        "stages": _stages(recipe),
        "moves_labels": any(OPS[step.op].moves_labels for step in preorder(recipe.steps)),
        "size_in": list(size),
        "size_out": list(planned.size_out),
        "draws": [dict(draw) for draw in planned.draws],
        "cost": {"pixels": cost_pixels, "output_pixels": planned.size_out.pixels * ask.variants, "variants": ask.variants},
        "explanation": explanation,
    }


def _stages(recipe: Recipe) -> list[dict[str, Any]]:
    """Consecutive steps that are worked off together, every step applied; in profile kornia each is by itself.

    A container is by itself, with all steps in it; so is a policy.
    """
    found = tree(recipe)
    alone = recipe.profile == "kornia"
    outer = [(number, _stage(found.steps[number].op)) for number in found.roots]
    groups = itertools.groupby(outer, lambda step: (step[1], step[0] if alone or step[1] in _ALONE else None))
    return [
        {"stage": stage, "steps": [step.number for step in steps], "ops": [step.op.name for step in steps]}
        for (stage, _), steps in (
            (key, [each for number, _ in group for each in _inner(found, number)]) for key, group in groups
        )
    ]


def _inner(found: Tree, number: int) -> Iterator[Step]:
    """A step, and all in it."""
    yield found.steps[number]
    for child in found.inside[number]:
        yield from _inner(found, child)


_ALONE = ("container", "policy", "blend")


def _stage(op: Op) -> str:
    if isinstance(op.kind, Mix | Container | Policy | Blend):
        return op.kind_name
    return "resample" if op.moves_labels else "pixels"
