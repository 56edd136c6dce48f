"""Itineraries: a chain's route written as the table that compiled kernels follow, and the source made ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.chain import Link
from kernels.cpu.places import COLUMNS, CONSTANT, FOLD, MOVE, READ, REFLECT, REPLICATE, SHIFT, VEIL, VIEW, WRAP
from kernels.matrices import IDENTITY, is_affine, multiply
from kernels.op import Matrix
from kernels.params import Border
from kernels.route import Boxes, Canvas, Fill, Lattice, boxes, lattice, route, within
from kernels.tensors import Size

_HOW = {"replicate": REPLICATE, "reflect": REFLECT, "wrap": WRAP, "constant": REPLICATE}
NO_FIELDS = np.zeros(0, np.float32)
Row = tuple[float, ...]


class Itinerary(NamedTuple):
    """How an output is read from a source: the table, its displacement fields, and what the source must be first.

    boxes: what the source's pixels are added up in, and `lattice` where. Boxes that reach beyond the edge go on with the
    other side's pixels if `wraps`, or are made up with `fill` (levels of the source), or with the mean of what they hold
    if it is None.
    """

    table: NDArray[np.float64]
    fields: NDArray[np.float32]
    boxes: Boxes
    lattice: Lattice
    wraps: bool
    fill: Fill | None
    size_out: Size


def itinerary(links: Sequence[Link], level: float) -> Itinerary:
    """How to read the output of a chain from a source whose values go from 0 to `level`."""
    first, found = links[0], route(links)
    of = boxes(links)
    size, unit = first.size_in, level * of.wide * of.high
    inner = within(found.reach, size, of.wide / 2, of.high / 2)
    border: Border = "replicate" if inner else first.border
    # single pixels are read where they are
    at = lattice(found.reach, size, of, border) if of.is_needed else Lattice(0, 0, size.width, size.height)
    rows: list[Row] = []
    fields: list[NDArray[np.float32]] = []
    shown = False
    for step in found.steps:
        _move(rows, step.matrix)
        if isinstance(step, Canvas):
            shown = shown or (step.border == "constant" and any(step.fill))
            _canvas(rows, step, unit)
        else:
            _, height, width = step.field.shape
            rows.append((SHIFT, sum(field.size for field in fields), height, width, float(step.on_pixels)))
            fields.append(step.field.numpy().ravel())
    left, top = (at.left + of.wide / 2) / of.across, (at.top + of.high / 2) / of.down
    to_units: Matrix = (1 / of.across, 0.0, -left, 0.0, 1 / of.down, -top, 0.0, 0.0, 1.0)
    if border in ("reflect", "wrap"):
        _move(rows, found.matrix)
        rows.append((FOLD, size.width, size.height, 0.0, 0.0, _HOW[border]))
        _move(rows, to_units)
    else:
        _move(rows, multiply(to_units, found.matrix))
    filled = border == "constant"
    fill = first.fill if filled else (0.0, 0.0, 0.0)
    outside = CONSTANT if filled else WRAP if border == "wrap" else REPLICATE
    levels = fill[0] * unit, fill[1] * unit, fill[2] * unit
    rows.append((READ, at.columns, at.rows, outside, *levels, 1.0 / unit, float(shown)))
    return Itinerary(
        _table(rows),
        np.concatenate(fields) if fields else NO_FIELDS,
        of,
        at,
        border == "wrap",
        (fill[0] * level, fill[1] * level, fill[2] * level) if filled else None,
        links[-1].size_out,
    )


def _move(rows: list[Row], matrix: Matrix) -> None:
    """A row for a matrix; the first row must be affine, so one that is not comes after one that changes nothing."""
    if is_affine(matrix):
        if rows and matrix == IDENTITY:
            return
        rows.append((MOVE, *matrix))
        return
    if not rows:
        rows.append((MOVE, *IDENTITY))
    rows.append((VIEW, *matrix))


def _canvas(rows: list[Row], step: Canvas, unit: float) -> None:
    height, width = step.size
    if step.border == "constant":
        red, green, blue = step.fill
        rows.append((VEIL, width, height, *step.softness, red * unit, green * unit, blue * unit))
    rows.append((FOLD, width, height, *step.margins, _HOW[step.border]))


def _table(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([row + (0.0,) * (COLUMNS - len(row)) for row in rows], dtype=np.float64)
