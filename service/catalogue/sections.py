"""Which section an operation is in, and how much of what other libraries offer is covered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from kernels.op import Op
from kernels.ops import OPS
from service.catalogue.rows import ROWS, SECTIONS, LeftOut, Otherwise

Status = Literal["covered", "covered otherwise", "not yet", "left out"]
_OF_KIND = {"places": "geometry", "field": "fields", "stencil": "filters", "mix": "mixing"}
_OTHERS = "colour"


@dataclass(frozen=True)
class Row:
    """One row of the catalogue of all libraries."""

    section: str
    name: str
    status: Status
    ops: tuple[str, ...]
    """Ours that cover it."""
    missing: tuple[str, ...]
    """Those that are named for it and do not exist yet."""
    says: str
    """What covers it otherwise, or why it is left out."""


def section(op: Op) -> str:
    """The short name of its section: that of the row which names it, else one by its kind."""
    return _declared().get(op.name, _OF_KIND.get(op.kind_name, _OTHERS))


def undeclared() -> tuple[str, ...]:
    """Operations that no row names."""
    return tuple(name for name in OPS if name not in _declared())


def by_section() -> Iterator[tuple[str, tuple[Op, ...]]]:
    """The sections that have operations, and these, each in their order."""
    for name in SECTIONS:
        if ops := tuple(op for op in _ordered() if section(op) == name):
            yield name, ops


def coverage() -> Iterator[Row]:
    """Every row, in order."""
    for place, rows in ROWS.items():
        for name, covered in rows.items():
            match covered:
                case Otherwise(by):
                    yield Row(place, name, "covered otherwise", (), (), by)
                case LeftOut(because):
                    yield Row(place, name, "left out", (), (), because)
                case _:
                    ours = tuple(op for op in covered if op in OPS)
                    missing = tuple(op for op in covered if op not in OPS)
                    yield Row(place, name, "covered" if ours else "not yet", ours, missing, "")


def _ordered() -> list[Op]:
    """Operations as the rows name them; those that none does come last."""
    order = {name: place for place, name in enumerate(_declared())}
    return sorted(OPS.values(), key=lambda op: order.get(op.name, len(order)))


@cache
def _declared() -> dict[str, str]:
    found: dict[str, str] = {}
    for place, rows in ROWS.items():
        for covered in rows.values():
            if isinstance(covered, tuple):
                for name in covered:
                    found.setdefault(name, place)
    return found
