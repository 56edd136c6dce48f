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
from kernels.route import Box, Canvas, Fill, needed, route, shrinking, within
from kernels.tensors import Size

_HOW = {"replicate": REPLICATE, "reflect": REFLECT, "wrap": WRAP, "constant": REPLICATE}
NO_FIELDS = np.zeros(0, np.float32)
Row = tuple[float, ...]


class Itinerary(NamedTuple):
    """How an output is read from a source: the table, its displacement fields, and what the source must be first.

    box: the part of the source that is read, in boxes of shrink_x x shrink_y pixels that are added up. Boxes that the
    edge cuts off are made up with `fill` (levels of the source), or with the mean of what they hold if it is None.
    """

    table: NDArray[np.float64]
    fields: NDArray[np.float32]
    box: Box
    shrink_x: int
    shrink_y: int
    fill: Fill | None
    size_out: Size


def itinerary(links: Sequence[Link], level: float) -> Itinerary:
    """How to read the output of a chain from a source whose values go from 0 to `level`."""
    first, found = links[0], route(links)
    shrink_x, shrink_y = shrinking(links)
    size, unit = first.size_in, level * shrink_x * shrink_y
    inner = within(found.reach, size, shrink_x / 2, shrink_y / 2)
    border: Border = "replicate" if inner else first.border
    folds = border in ("reflect", "wrap")
    box = Box(0, 0, size.width, size.height)
    if (shrink_x > 1 or shrink_y > 1) and not folds:
        box = needed(found.reach, size, shrink_x, shrink_y)
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
    left, top = box.left / shrink_x + 0.5, box.top / shrink_y + 0.5
    to_units: Matrix = (1 / shrink_x, 0.0, -left, 0.0, 1 / shrink_y, -top, 0.0, 0.0, 1.0)
    if folds:
        _move(rows, found.matrix)
        rows.append((FOLD, size.width, size.height, 0.0, 0.0, _HOW[border]))
        _move(rows, to_units)
    else:
        _move(rows, multiply(to_units, found.matrix))
    columns, lines = -(-(box.right - box.left) // shrink_x), -(-(box.bottom - box.top) // shrink_y)
    filled = border == "constant"
    fill = first.fill if filled else (0.0, 0.0, 0.0)
    outside = CONSTANT if filled else WRAP if border == "wrap" else REPLICATE
    rows.append((READ, columns, lines, outside, fill[0] * unit, fill[1] * unit, fill[2] * unit, 1.0 / unit, float(shown)))
    return Itinerary(
        _table(rows),
        np.concatenate(fields) if fields else NO_FIELDS,
        box,
        shrink_x,
        shrink_y,
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
