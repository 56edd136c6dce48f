"""`augment recipe import` at work in a terminal: a pipeline of another library in, a recipe and a report out."""

from __future__ import annotations

import json
from pathlib import Path

import typer
import yaml
from rich.console import Console
from rich.table import Table

from kernels.errors import RecipeInvalid
from service.catalogue.terminal import leave
from service.catalogue.written import yaml_text
from service.errors import ServiceError
from service.importing.forms import Form
from service.importing.pipeline import Imported, import_pipeline
from service.uploads.json_text import parse_json

SOMETHING_MISSING = 1
_MOST_BYTES = 2**20
_WIDE = 160
_WORDS = {"exact": "as it is", "different": "differs", "missing": "MISSING"}


def import_recipe(file: Path, form: Form | None, out: Path | None, *, as_json: bool) -> None:
    """The whole command. Leaves with status 2 where the file is no pipeline, 1 where something of it is missing."""
    try:
        imported = import_pipeline(_document(file), form)
    except (RecipeInvalid, ServiceError) as error:
        leave(f"{file}: {error.message}")
    text = yaml_text(imported.document)
    if out is not None:
        out.write_text(text)
    if as_json:
        facts = {"format": imported.form, "recipe": imported.document, "recipe_digest": imported.recipe.digest}
        typer.echo(json.dumps({**facts, "counts": imported.counts, "items": imported.report()}))
    else:
        _print_report(imported)
        if out is None:
            typer.echo(text, nl=False)
    if imported.counts["missing"]:
        raise typer.Exit(SOMETHING_MISSING)


def _print_report(imported: Imported) -> None:
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(stderr=True, highlight=False, markup=False, width=_WIDE)
    table = Table("item", "", "becomes", "what differs, or why not", box=None, pad_edge=False, header_style="bold")
    for item in imported.items:
        near = f" (near: {', '.join(item.nearest)})" if item.nearest else ""
        table.add_row(item.name, _WORDS[item.verdict], ", ".join(item.steps), "; ".join(item.says) + near)
    console.print(table)
    exact, different, missing = imported.counts.values()
    console.print(f"{imported.form}: {exact} as they are, {different} with a difference, {missing} missing")


def _document(file: Path) -> object:
    """The decoded file, JSON or YAML by its name. BadRequest, ValidationError and RecipeInvalid say what is wrong."""
    try:
        content = file.read_bytes()[: _MOST_BYTES + 1]
    except OSError as error:
        leave(f"{file}: {error.strerror or 'cannot be read'}")
    if len(content) > _MOST_BYTES:
        leave(f"{file} is larger than {_MOST_BYTES} bytes, so not a pipeline")
    if file.suffix.lower() not in (".yaml", ".yml"):
        return parse_json(content, "the file")
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError):
        leave(f"{file} is not YAML")
