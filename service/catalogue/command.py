"""`augment ops` and `augment recipe`: what they take. The work is in `ops_terminal`, imported only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ops_app = typer.Typer(help="The operations that recipes are made of.", invoke_without_command=True)
recipe_app = typer.Typer(help="Recipe files.", no_args_is_help=True)


@recipe_app.callback()
def recipe_commands() -> None:
    """Recipe files."""


@ops_app.callback()
def list_ops(
    context: typer.Context,
    containing: Annotated[str, typer.Option("--filter", "-f", help="Only those whose name or summary contains this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the operations; `augment ops show NAME` says all about one."""
    if context.invoked_subcommand is None:
        from service.catalogue.terminal import list_ops as run

        run(containing, as_json=as_json)


@ops_app.command("show")
def show_op(
    name: Annotated[str, typer.Argument(help="Name of an operation.")],
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture of what it does to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with its JSON Schema.")] = False,
) -> None:
    """Say all about one operation: its fields, their ranges and units, an example."""
    from service.catalogue.terminal import show_op as run

    run(name, png, as_json=as_json)


@recipe_app.command("check")
def check_recipe(
    file: Annotated[Path, typer.Argument(help="Recipe, as YAML or JSON.")],
    size: Annotated[tuple[int, int], typer.Option(help="Height and width of the picture it is planned for.")] = (512, 512),
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Check a recipe and show what it does: steps, stages, size and form of the output, digest."""
    from service.catalogue.terminal import check_recipe as run

    run(file, size, as_json=as_json)
