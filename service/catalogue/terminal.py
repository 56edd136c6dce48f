"""`augment ops` and `augment recipe` at work in a terminal: the catalogue and recipes, without a service."""

from __future__ import annotations

import difflib
import itertools
import json
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from kernels.errors import RecipeInvalid
from kernels.op import Mix, Op
from kernels.ops import OPS
from kernels.plan import Plan, plan
from kernels.recipe import Recipe, preorder
from kernels.tensors import Size
from service.catalogue.facts import KINDS, fields, labels, step
from service.catalogue.picture import before_and_after
from service.expansion.recipe_file import RecipeFileInvalid, load_recipe

WRONG = 2


def list_ops(containing: str, *, as_json: bool) -> None:
    """The catalogue as a table."""
    sought = containing.casefold()
    chosen = [op for op in OPS.values() if sought in op.name or sought in op.summary.casefold()]
    if as_json:
        typer.echo(json.dumps([_document(op) for op in chosen]))
        return
    table = Table("operation", "what it does", "labels", box=None, pad_edge=False, header_style="bold")
    for op in chosen:
        table.add_row(op.name, op.summary, labels(op))
    Console(highlight=False, markup=False).print(
        table if chosen else f"no operation has {containing!r} in its name or summary"
    )


def show_op(name: str, png: Path | None, *, as_json: bool) -> None:
    """One operation: its fields, their ranges and units, its examples."""
    if name not in OPS:
        near = difflib.get_close_matches(name, OPS, n=2)
        _leave(
            f"there is no operation {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "; see `augment ops`")
        )
    op = OPS[name]
    if png is not None:
        before_and_after(op).save(png, format="PNG")
    if as_json:
        typer.echo(json.dumps({**_document(op), "schema": op.params.model_json_schema()}))
        return
    console = Console(highlight=False, markup=False)
    console.print(f"{op.name}: {op.summary}", style="bold")
    console.print(f"{KINDS[op.kind_name]}; labels {labels(op)}")
    table = Table("field", "takes", "default", "meaning", box=None, pad_edge=False, header_style="bold")
    for field in fields(op):
        table.add_row(field.name + (" *" if field.drawn else ""), field.takes, field.default, field.meaning)
    console.print(table)
    console.print("* drawn: a pair [from, to] gives each picture its own number; a single one is the same for all")
    for place in range(len(op.examples)):
        console.print(f"  - {step(op, place)}", soft_wrap=True)
    if png is not None:
        console.print(f"picture: {png}")


def check_recipe(file: Path, size: tuple[int, int], *, as_json: bool) -> None:
    """What a recipe does; leaves with status 2 where it is wrong."""
    try:
        recipe = load_recipe(file)
        stages, size_out = _stages(recipe), _planned(recipe, Size(*size)).size_out
    except RecipeFileInvalid as error:
        if as_json:
            facts = {"valid": False, "detail": error.reason, "pointer": error.pointer, "line": error.line}
            typer.echo(json.dumps(facts))
        _leave(str(error))
    except RecipeInvalid as error:
        _leave(f"{file}: a picture of {size[1]} x {size[0]} does not fit: {error.message}")
    if as_json:
        facts = {
            "valid": True,
            "digest": recipe.digest,
            "recipe": recipe.document(),
            "stages": stages,
            "size_out": size_out,
        }
        typer.echo(json.dumps(facts))
        return
    console = Console(highlight=False, markup=False)
    table = Table("", "step", "chance", box=None, pad_edge=False, show_header=False)
    for number, params in enumerate(preorder(recipe.steps)):
        written = params.model_dump(mode="json", exclude={"op", "chance"})
        if written.get("border") == "constant" and not any(written["fill"]):
            del written["border"], written["fill"]  # black outside, as nearly always: not worth a line
        said = ", ".join(f"{name} {json.dumps(value)}" for name, value in written.items())
        table.add_row(str(number), params.op, f"{params.chance:.0%}", said)
    console.print(table)
    for number, stage in enumerate(stages, 1):
        console.print(f"stage {number}: {stage['does']}: {', '.join(stage['ops'])}")
    quality = "" if recipe.output.format == "png" else f", quality {recipe.output.quality}"
    console.print(
        f"a picture of {size[1]} x {size[0]} becomes {size_out.width} x {size_out.height}, {recipe.output.format}{quality}"
    )
    console.print(f"digest {recipe.digest}")


def _planned(recipe: Recipe, size: Size) -> Plan:
    return plan(recipe, seed=0, key=0, variant=0, size=size)


def _stages(recipe: Recipe) -> list[dict[str, list[str] | str]]:
    """Consecutive steps that are worked off together, every step applied; in profile kornia each is by itself."""
    if recipe.profile == "kornia":
        return [{"does": "by itself, through Kornia", "ops": [params.op]} for params in preorder(recipe.steps)]
    groups = itertools.groupby((OPS[params.op] for params in preorder(recipe.steps)), _does)
    return [{"does": does, "ops": [op.name for op in ops]} for does, ops in groups]


def _does(op: Op) -> str:
    if isinstance(op.kind, Mix):
        return "mixed with other pictures of the batch"
    return "one coordinate chain, resampled once" if op.moves_labels else "pixels in place, clamped after each step"


def _document(op: Op) -> dict[str, object]:
    return {"name": op.name, "summary": op.summary, "kind": op.kind_name, "labels": labels(op), "example": step(op)}


def _leave(message: str) -> NoReturn:
    Console(stderr=True, highlight=False, markup=False).print(message, style="red")
    raise typer.Exit(WRONG)
