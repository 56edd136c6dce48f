"""`/v1/recipes`: what a recipe means before any picture is sent, recipes by name, pipelines of other libraries."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from kernels.errors import RecipeInvalid
from kernels.explain import explain
from kernels.op import Blend, Container, Mix, Op, Policy, Within
from kernels.ops import OPS
from kernels.plan import plan
from kernels.recipe import Recipe, preorder
from kernels.tensors import Size
from kernels.tree import Step, Tree, tree
from service.catalogue.ready import READY
from service.errors import EmptyBody
from service.importing.pipeline import import_pipeline
from service.named_recipes import MAX_VERSION, Named, choose, delete, find, listed, save
from service.parts import Parts
from service.routes.documented import body_of, headers_of, problems, schema_of
from service.routes.shared import Cursor, Limit, PartsOf, Reader, Tenant, cursor_of, name_of
from service.schemas import ImportRequest, SaveRecipeRequest, ValidateRequest, checked
from service.uploads.bodies import whole_body
from service.uploads.json_text import parse_long_json
from service.view_schemas import ImportReport, RecipePage, RecipeReport, StoredRecipe

router = APIRouter(prefix="/v1/recipes", tags=["recipes"])


@router.post(
    "",
    status_code=201,
    responses={
        200: {"description": "This content is a version of it already.", "model": StoredRecipe},
        201: {"description": "Kept as the next version.", "model": StoredRecipe, "headers": headers_of("Location")},
        **problems(400, 404, 408, 413),
    },
    openapi_extra={"requestBody": body_of({"application/json": schema_of(SaveRecipeRequest)})},
)
async def save_recipe(request: Request, parts: PartsOf, tenant: Tenant) -> Response:
    """Keeps a recipe under a name, as its next version. A version never changes; the same content is the same version."""
    ask = checked(SaveRecipeRequest, await _body(request, parts))
    named, new = await save(parts, tenant, ask.name, ask.recipe)
    view = _whole(named)
    return Response(to_json(view), 201 if new else 200, {"Location": view["url"]}, media_type="application/json")


@router.get("", responses={200: {"model": RecipePage}, **problems()})
async def list_recipes(parts: PartsOf, tenant: Tenant, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """The newest version of each of your recipes, by name, and the ready ones."""
    found = await listed(parts, tenant, name_of(cursor), limit)
    page = {
        "recipes": [_version(one) for one in found],
        "ready": [{**_version(await find(parts, tenant, one.name, 0)), "summary": one.summary} for one in READY.values()],
        "next": cursor_of(found[-1].name) if len(found) == limit else None,
    }
    return Response(to_json(page), media_type="application/json")


@router.get("/{name}", responses={200: {"model": StoredRecipe}, **problems(404)})
async def view_recipe(
    name: str, parts: PartsOf, tenant: Tenant, version: Annotated[int | None, Query(ge=0, le=MAX_VERSION)] = None
) -> Response:
    """A recipe by name: the newest version, or the one that is asked for; 0 is the ready recipe of that name."""
    return Response(to_json(_whole(await find(parts, tenant, name, version))), media_type="application/json")


@router.delete("/{name}", status_code=204, response_class=Response, responses=problems(404))
async def delete_recipe(name: str, parts: PartsOf, tenant: Tenant) -> Response:
    """Deletes all versions of your recipe. Batches keep the recipe they were sent with, and no number is given again."""
    await delete(parts, tenant, name)
    return Response(status_code=204)


@router.post(
    "/import",
    responses={200: {"model": ImportReport}, **problems(400, 408, 413)},
    openapi_extra={"requestBody": body_of({"application/json": schema_of(ImportRequest)})},
)
async def import_recipe(request: Request, parts: PartsOf, tenant: Reader) -> Response:
    """Makes a recipe of a pipeline of torchvision, Albumentations, Kornia or the seed, and reports every item of it."""
    ask = checked(ImportRequest, await _body(request, parts))
    try:
        imported = await asyncio.to_thread(import_pipeline, ask.pipeline, ask.format)
    except RecipeInvalid as error:
        raise RecipeInvalid(error.reason, f"/pipeline{error.pointer}") from None
    report = {
        "format": imported.form,
        "recipe": imported.document,
        "recipe_digest": imported.recipe.digest,
        "counts": imported.counts,
        "items": imported.report(),
    }
    return Response(to_json(report), media_type="application/json")


@router.post(
    "/validate",
    responses={200: {"model": RecipeReport}, **problems(400, 404, 408, 413)},
    openapi_extra={"requestBody": body_of({"application/json": schema_of(ValidateRequest)})},
)
async def validate(request: Request, parts: PartsOf, tenant: Reader) -> Response:
    """Checks a recipe, and answers how it is run: its stages, the size of results, an estimate of cost."""
    ask = checked(ValidateRequest, await _body(request, parts))
    recipe = (await choose(parts, tenant, ask.recipe, None)).recipe
    parts.recipes.check_variants(ask.variants)
    size = Size(*ask.size)
    cost = parts.recipes.cost_pixels(recipe, size, ask.variants)
    report = await asyncio.to_thread(_report, recipe, size, ask, cost)
    return Response(to_json(report), media_type="application/json")


async def _body(request: Request, parts: Parts) -> Any:
    body = await whole_body(request, parts.settings.max_json_bytes, parts.settings)
    if not body:
        raise EmptyBody
    return await parse_long_json(body)


def _version(named: Named) -> dict[str, Any]:
    return {
        "name": named.name,
        "version": named.version,
        "recipe_digest": named.digest,
        "created_at": named.created_at,
        "url": f"/v1/recipes/{named.name}?version={named.version}",
    }


def _whole(named: Named) -> dict[str, Any]:
    return {**_version(named), "recipe": named.document}


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


_ALONE = ("container", "within", "policy", "blend")


def _stage(op: Op) -> str:
    if isinstance(op.kind, Mix | Within | Container | Policy | Blend):
        return op.kind_name
    return "resample" if op.moves_labels else "pixels"
