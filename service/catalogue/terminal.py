"""`augment ops` at work in a terminal: the catalogue, without a service."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from kernels.aliases import LIBRARIES, elsewhere
from kernels.op import Op
from kernels.ops import OPS
from service.catalogue.entry import entry
from service.catalogue.facts import KINDS, LabelBehaviour, fields, label_behaviour, labels, step
from service.catalogue.names import called
from service.catalogue.rows import SECTIONS
from service.catalogue.sections import by_section, section
from service.catalogue.speed import speed

WRONG = 2


@dataclass(frozen=True)
class Wanted:
    """What a listing is limited to; empty or None: nothing."""

    section: str | None = None
    kind: str | None = None
    labels: LabelBehaviour | None = None
    text: str = ""

    def fits(self, op: Op) -> bool:
        sought = self.text.casefold()
        others = [name for names in elsewhere(op.name).values() for name in names]
        return (
            self.section in (None, section(op))
            and self.kind in (None, op.kind_name)
            and self.labels in (None, label_behaviour(op))
            and any(sought in one.casefold() for one in (op.name, op.summary, *others))
        )


def list_ops(wanted: Wanted, *, as_json: bool) -> None:
    """The catalogue as a table, by section; as JSON the entries that `GET /v1/ops` has."""
    for asked, known in ((wanted.section, SECTIONS), (wanted.kind, KINDS)):
        if asked is not None and asked not in known:
            leave(f"{asked!r} is not one of {', '.join(known)}")
    chosen = [op for op in OPS.values() if wanted.fits(op)]
    if as_json:
        typer.echo(json.dumps([entry(op) for op in chosen]))
        return
    console = Console(highlight=False, markup=False)
    if not chosen:
        console.print("no operation is like that")
        return
    table = Table("operation", "what it does", "labels", "speed", box=None, pad_edge=False, header_style="bold")
    for name, ops in by_section():
        fitting = [op for op in ops if op in chosen]
        if fitting:
            table.add_section()
            table.add_row(SECTIONS[name].title, f"--section {name}", style="dim")
        for op in fitting:
            table.add_row(op.name, op.summary, labels(op), speed(op.name).name)
    console.print(table)


def show_op(name: str, png: Path | None, *, as_json: bool) -> None:
    """One operation, by its name here or elsewhere: its fields, their ranges and units, its examples."""
    found = called(name)
    if not found:
        near = difflib.get_close_matches(name, OPS, n=2)
        leave(
            f"there is no operation {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "; see `augment ops`")
        )
    op = OPS[found[0]]
    if png is not None:
        from service.catalogue.picture import illustrated

        illustrated(op).save(png, format="PNG")
    if as_json:
        typer.echo(json.dumps(entry(op)))
        return
    console = Console(highlight=False, markup=False)
    if name != op.name:
        others = f" (and {' or '.join(found[1:])})" if found[1:] else ""
        console.print(
            f"{name} is called {op.name} here{others}; its fields may differ. `augment recipe import` translates."
        )
    console.print(f"{op.name}: {op.summary}", style="bold")
    fast = speed(op.name)
    console.print(f"{SECTIONS[section(op)].title}; {KINDS[op.kind_name]}; labels {labels(op)}")
    console.print(f"{fast.name}: some {fast.ns_a_pixel:g} ns of CPU a pixel, computed by {', '.join(fast.by)}")
    for key, names in elsewhere(op.name).items():
        console.print(f"in {LIBRARIES[key]}: {', '.join(names)}")
    table = Table("field", "takes", "default", "meaning", box=None, pad_edge=False, header_style="bold")
    for field in fields(op):
        table.add_row(field.name + (" *" if field.drawn else ""), field.takes, field.default, field.meaning)
    console.print(table)
    console.print("* drawn: a pair [from, to] gives each picture its own number; a single one is the same for all")
    for place in range(len(op.examples)):
        console.print(f"  - {step(op, place)}", soft_wrap=True)
    if png is not None:
        console.print(f"picture: {png}")


def leave(message: str) -> NoReturn:
    """Says what is wrong and ends the command."""
    Console(stderr=True, highlight=False, markup=False).print(message, style="red")
    raise typer.Exit(WRONG)
