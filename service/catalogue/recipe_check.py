"""`augment recipe check` at work in a terminal: what a recipe means and how it is run, without a service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from kernels.errors import RecipeInvalid
from kernels.explain import explain
from kernels.params import Group
from kernels.recipe import Recipe
from kernels.tensors import Size
from kernels.tree import Step, Tree, tree
from service.catalogue.terminal import leave
from service.expansion.recipe_file import RecipeFileInvalid, load_recipe

_WIDE = 160


def check_recipe(file: Path, size: tuple[int, int], *, as_json: bool) -> None:
    """How a recipe is run; leaves with status 2 where it is wrong."""
    try:
        recipe = load_recipe(file)
        explanation = explain(recipe, Size(*size))
    except RecipeFileInvalid as error:
        if as_json:
            facts = {"valid": False, "detail": error.reason, "pointer": error.pointer, "line": error.line}
            typer.echo(json.dumps(facts))
        leave(str(error))
    except RecipeInvalid as error:
        leave(f"{file}: a picture of {size[1]} x {size[0]} does not fit: {error.message}")
    if as_json:
        facts = {"valid": True, "digest": recipe.digest, "recipe": recipe.document(), "explanation": explanation}
        typer.echo(json.dumps(facts))
        return
    found = Console(highlight=False, markup=False)
    console = found if found.is_terminal else Console(highlight=False, markup=False, width=_WIDE)
    console.print(_steps(recipe))
    console.print()
    console.print(_stages(explanation))
    for noted in (*explanation["chances"], *explanation["branches"], *explanation["looks"]):
        console.print(f"step {noted['step']}, {noted['op']}: {noted['says']}")
    console.print()
    quality = "" if recipe.output.format == "png" else f", quality {recipe.output.quality}"
    console.print(f"a picture of {_size(size)} becomes {_range(explanation['size_out'])}, {recipe.output.format}{quality}")
    cost = explanation["cost"]
    console.print(
        f"estimate: {cost['picture_us']:,.0f} us of CPU a picture (decode {cost['decode_us']:,.0f}, "
        f"steps {cost['pixels_us']:,.0f}, encode {cost['encode_us']:,.0f}), by figures of {cost['machine']}"
    )
    console.print(f"digest {recipe.digest}")


def _steps(recipe: Recipe) -> Table:
    """All steps, those inside a container under it; of a repeated one the first repetition."""
    table = Table("", "step", "chance", box=None, pad_edge=False, show_header=False)
    for step, depth in _shown(tree(recipe)):
        params = step.params
        written = params.model_dump(mode="json", exclude={"op", "chance", "steps"})
        if written.get("border") == "constant" and not any(written["fill"]):
            del written["border"], written["fill"]  # black outside, as nearly always: not worth a line
        said = ", ".join(f"{name} {json.dumps(value)}" for name, value in written.items())
        table.add_row(str(step.number), "  " * depth + params.op, f"{params.chance:.0%}", said)
    return table


def _shown(found: Tree) -> Iterator[tuple[Step, int]]:
    def below(numbers: Sequence[int], depth: int) -> Iterator[tuple[Step, int]]:
        for number in numbers:
            step = found.steps[number]
            yield step, depth
            if isinstance(step.params, Group):
                yield from below(found.inside[number][: len(step.params.steps)], depth + 1)

    return below(found.roots, 0)


def _stages(explanation: Mapping[str, Any]) -> Table:
    columns = ("stage", "steps", "what runs", "by", "size", "apart from the last because", "est. us")
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    table.columns[-1].justify = "right"
    for stage in explanation["stages"]:
        steps = ", ".join(f"{number} {op}" for number, op in zip(stage["steps"], stage["ops"], strict=True))
        table.add_row(
            str(stage["stage"]),
            steps,
            stage["does"],
            stage["backend"],
            _size(stage["size_out"]),
            stage["why_not_fused"] or "",
            f"{stage['cost_us']:,.0f}",
        )
    return table


def _size(sides: tuple[int, int]) -> str:
    """Width and height, as people say it."""
    return f"{sides[1]} x {sides[0]}"


def _range(sizes: Mapping[str, tuple[int, int]]) -> str:
    least, most = _size(sizes["least"]), _size(sizes["most"])
    return least if least == most else f"{least} to {most}"
