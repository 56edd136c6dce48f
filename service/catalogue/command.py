"""`augment ops` and `augment recipe`: what they take. The work is in modules that are imported only when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from service.importing.forms import Form

Url = Annotated[str, typer.Option(envvar="AUGMENT_URL", help="Address of the service.")]
_HERE = "http://127.0.0.1:8000"

ops_app = typer.Typer(help="The operations that recipes are made of.", invoke_without_command=True)
recipe_app = typer.Typer(help="Recipes: files, stored and ready ones, pipelines of other libraries.", no_args_is_help=True)


@recipe_app.callback()
def recipe_commands() -> None:
    """Recipes: files, stored and ready ones, pipelines of other libraries."""


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


@recipe_app.command("list")
def list_recipes(url: Url = _HERE, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the ready recipes, and those that a running service keeps."""
    from service.catalogue.named import list_recipes as run

    run(url, as_json=as_json)


@recipe_app.command("show")
def show_recipe(
    name: Annotated[str, typer.Argument(help="Name of a recipe, the newest version or NAME@VERSION.")],
    url: Url = _HERE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, every default written out.")] = False,
) -> None:
    """Print a stored or ready recipe as YAML. Ready ones need no service."""
    from service.catalogue.named import show_recipe as run

    run(name, url, as_json=as_json)


@recipe_app.command("save")
def save_recipe(
    name: Annotated[str, typer.Argument(help="Name to keep it under.")],
    file: Annotated[Path, typer.Argument(help="Recipe, as YAML or JSON.")],
    url: Url = _HERE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Keep a recipe on a running service, as the next version of NAME."""
    from service.catalogue.named import save_recipe as run

    run(name, file, url, as_json=as_json)


@recipe_app.command("delete")
def delete_recipe(
    name: Annotated[str, typer.Argument(help="Name of a recipe; all of its versions go.")], url: Url = _HERE
) -> None:
    """Delete a recipe from a running service. Batches that were sent with it keep it."""
    from service.catalogue.named import delete_recipe as run

    run(name, url)


@recipe_app.command("import")
def import_recipe(
    file: Annotated[Path, typer.Argument(help="Pipeline of another library, as JSON or YAML.")],
    form: Annotated[
        Form | None, typer.Option("--format", help="The library it is of; found out where it is not given.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the recipe to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Recipe and report as JSON.")] = False,
) -> None:
    """Make a recipe of a pipeline of torchvision, Albumentations, Kornia or the seed, and report every item of it.

    The recipe is printed, the report goes to standard error. The exit status is 1 where something is missing.
    """
    from service.catalogue.imports import import_recipe as run

    run(file, form, out, as_json=as_json)
