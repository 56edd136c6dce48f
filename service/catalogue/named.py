"""`augment recipe list | show | save | delete` in a terminal: ready recipes from here, stored ones from a service."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from kernels.corruptions import CORRUPTIONS
from kernels.recipe import Recipe
from service.catalogue.ready import READY, ready
from service.catalogue.terminal import leave
from service.catalogue.written import written, yaml_text
from service.client import Client
from service.client.errors import ClientError, NotFound
from service.client.views import RecipeVersion
from service.expansion.recipe_file import RecipeFileInvalid, load_recipe

_PATIENCE_S = 10.0


def list_recipes(url: str, *, as_json: bool) -> None:
    """The ready recipes, and the stored ones where a service answers."""
    with _client(url) as client:
        answers = client.ready()
        stored = list(client.recipes()) if answers else []
    if as_json:
        listed = [{"name": one.name, "version": 0, "summary": one.summary} for one in READY.values()]
        typer.echo(json.dumps({"ready": listed, "stored": [one.model_dump(mode="json") for one in stored]}))
        return
    table = Table("recipe", "", box=None, pad_edge=False, header_style="bold")
    for one in stored:
        table.add_row(f"{one.name}@{one.version}", f"kept {_day(one)}, digest {one.recipe_digest[:12]}")
    names = {one.name for one in stored}
    for name, recipe in READY.items():
        table.add_row(f"{name}@0" if name in names else name, recipe.summary)
    table.add_row("corruption-NAME-1 ... -5", f"corruptions of ImageNet-C by severity; NAME: {', '.join(CORRUPTIONS)}")
    Console(highlight=False, markup=False).print(table)
    if not answers:
        typer.echo(f"no service answers at {url}: only the ready recipes are shown", err=True)


def show_recipe(name: str, url: str, *, as_json: bool) -> None:
    """A recipe as YAML, a ready one as its file has it. Leaves with status 2 where there is none."""
    plain, _, version = name.partition("@")
    if version and not version.isdecimal():
        leave(f"{name!r} is not NAME or NAME@VERSION")
    found = None
    with _client(url) as client:
        if version != "0" and (version or ready(plain) is None or client.ready()):
            try:
                found = client.recipe(plain, int(version) if version else None)
            except NotFound:
                leave(f"there is no recipe {name!r}; see `augment recipe list`")
    own = ready(plain) if found is None or found.version == 0 else None
    if own is None and (found is None or found.version == 0):
        leave(f"there is no ready recipe {plain!r}; see `augment recipe list`")
    recipe = own.recipe if own else Recipe.parse(found.recipe if found else {})
    if as_json:
        facts = {"name": plain, "version": found.version if found else 0, "digest": recipe.digest}
        typer.echo(json.dumps({**facts, "recipe": recipe.document()}))
    elif own:
        typer.echo(own.text, nl=False)
    else:
        typer.echo(f"# {plain}@{found.version if found else 0}, digest {recipe.digest}")
        typer.echo(yaml_text(written(recipe)), nl=False)


def save_recipe(name: str, file: Path, url: str, *, as_json: bool) -> None:
    """Keeps a recipe file on a service. Leaves with status 2 where it is wrong."""
    try:
        recipe = load_recipe(file)
    except RecipeFileInvalid as error:
        leave(str(error))
    with _client(url) as client:
        kept = client.save_recipe(name, recipe.document())
    typer.echo(kept.model_dump_json() if as_json else f"{kept.name}@{kept.version}, digest {kept.recipe_digest}")


def delete_recipe(name: str, url: str) -> None:
    """Deletes all versions of a name on a service. Leaves with status 2 where there is none."""
    with _client(url) as client:
        client.delete_recipe(name)
    typer.echo(f"{name} is deleted")


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """A client whose errors end the command with one message."""
    with Client(url, os.environ.get("AUGMENT_API_KEY"), patience_s=_PATIENCE_S) as client:
        try:
            yield client
        except ClientError as error:
            leave(str(error))


def _day(one: RecipeVersion) -> str:
    return one.created_at.date().isoformat() if one.created_at else "at an unknown time"
