"""`augment ops` at work in a terminal: the catalogue, without a service."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from kernels.aliases import LIBRARIES, elsewhere, ops_called
from kernels.op import Op
from kernels.ops import OPS
from service.catalogue.facts import KINDS, fields, labels, step
from service.catalogue.picture import before_and_after

WRONG = 2


def list_ops(containing: str, *, as_json: bool) -> None:
    """The catalogue as a table."""
    sought = containing.casefold()
    chosen = [
        op for op in OPS.values() if sought in op.name or sought in op.summary.casefold() or op.name in ops_called(sought)
    ]
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
    """One operation, by its name here or elsewhere: its fields, their ranges and units, its examples."""
    called_here = [name] if name in OPS else [op for op in ops_called(name) if op in OPS]
    if not called_here:
        near = difflib.get_close_matches(name, OPS, n=2)
        leave(
            f"there is no operation {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "; see `augment ops`")
        )
    op = OPS[called_here[0]]
    if png is not None:
        before_and_after(op).save(png, format="PNG")
    if as_json:
        typer.echo(json.dumps({**_document(op), "schema": op.params.model_json_schema()}))
        return
    console = Console(highlight=False, markup=False)
    if name != op.name:
        others = f" (and {' or '.join(called_here[1:])})" if called_here[1:] else ""
        console.print(
            f"{name} is called {op.name} here{others}; its fields may differ. `augment recipe import` translates."
        )
    console.print(f"{op.name}: {op.summary}", style="bold")
    console.print(f"{KINDS[op.kind_name]}; labels {labels(op)}")
    for library, names in elsewhere(op.name).items():
        console.print(f"in {LIBRARIES[library]}: {', '.join(names)}")
    table = Table("field", "takes", "default", "meaning", box=None, pad_edge=False, header_style="bold")
    for field in fields(op):
        table.add_row(field.name + (" *" if field.drawn else ""), field.takes, field.default, field.meaning)
    console.print(table)
    console.print("* drawn: a pair [from, to] gives each picture its own number; a single one is the same for all")
    for place in range(len(op.examples)):
        console.print(f"  - {step(op, place)}", soft_wrap=True)
    if png is not None:
        console.print(f"picture: {png}")


def _document(op: Op) -> dict[str, object]:
    return {
        "name": op.name,
        "summary": op.summary,
        "kind": op.kind_name,
        "labels": labels(op),
        "aliases": elsewhere(op.name),
        "example": step(op),
    }


def leave(message: str) -> NoReturn:
    """Says what is wrong and ends the command."""
    Console(stderr=True, highlight=False, markup=False).print(message, style="red")
    raise typer.Exit(WRONG)
