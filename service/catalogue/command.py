"""`augment ops` and `augment recipe`: what they take. The work is in modules that are imported only when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ops_app = typer.Typer(help="The operations that recipes are made of.", invoke_without_command=True)
recipe_app = typer.Typer(help="Recipe files.", no_args_is_help=True)


@recipe_app.callback()
def recipe_commands() -> None:
    """Recipe files."""


@ops_app.callback()
def list_ops(
    context: typer.Context,
    section: Annotated[str | None, typer.Option(help="Only those of a section, as geometry.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only those of a kind, as places.")] = None,
    labels: Annotated[
        Literal["follow", "stay", "merged", "inside"] | None, typer.Option(help="Only those that do this to labels.")
    ] = None,
    search: Annotated[str, typer.Option("--search", "-s", help="Only those whose name or summary contains this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the operations; `augment ops show NAME` says all about one."""
    if context.invoked_subcommand is None:
        from service.catalogue.terminal import Wanted
        from service.catalogue.terminal import list_ops as run

        run(Wanted(section, kind, labels, search), as_json=as_json)


@ops_app.command("show")
def show_op(
    name: Annotated[str, typer.Argument(help="Name of an operation, here or in another library.")],
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture of what it does to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with its JSON Schema.")] = False,
) -> None:
    """Say all about one operation: its fields, their ranges and units, an example."""
    from service.catalogue.terminal import show_op as run

    run(name, png, as_json=as_json)


@recipe_app.command("check")
def check_recipe(
    file: Annotated[Path, typer.Argument(help="Recipe, as YAML or JSON.")],
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH of the picture it is planned for.")] = "512x512",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Check a recipe and show how it is run: steps, stages, why they are apart, sizes, an estimate of cost, digest."""
    from service.catalogue.recipe_check import check_recipe as run

    sides = size.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and 1 <= int(side) <= 16_384 for side in sides):
        raise typer.BadParameter(f"{size!r} is not HEIGHTxWIDTH, each 1 to 16384, as 512x512", param_hint="--size")
    run(file, (int(sides[0]), int(sides[1])), as_json=as_json)
