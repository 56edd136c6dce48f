"""Itineraries: a chain's route written as the table that kernels follow, and the source made ready for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.chain import Link, displacements, numbers
from kernels.cpu.compiled import Plotted
from kernels.cpu.places import COLUMNS, CONSTANT, FOLD, READ, REFLECT, REPLICATE, WRAP
from kernels.matrices import multiply
from kernels.route import (
    BORDER,
    FILL,
    INPUT,
    Box,
    Fill,
    Links,
    Table,
    most_rows,
    move,
    needed,
    route,
    shrinking,
    within,
    write,
)

NO_FIELDS = np.zeros(0, np.float32)
Numbers = NDArray[np.float64]


class Itinerary(NamedTuple):
    """How an output is read from a source: the table, its displacement fields, and what the source must be first.

    box: the part of the source that is read, in boxes of shrink_x x shrink_y pixels that are added up. Boxes that the
    edge cuts off are made up with `fill` (levels of the source), or with the mean of what they hold if it is None.
    """

    table: Numbers
    fields: NDArray[np.float32]
    box: Box
    shrink_x: int
    shrink_y: int
    fill: Fill | None


def itinerary(
    links: Sequence[Link], level: float, plotted: Callable[[Numbers, float, Numbers], Plotted] | None = None
) -> Itinerary:
    """How to read the output of a chain from a source whose values go from 0 to `level`.

    plotted: `plot` as it is compiled; without it Python runs it.
    """
    table = np.zeros((most_rows(len(links)), COLUMNS))
    rows, left, top, right, bottom, shrink_x, shrink_y, filled = (plotted or by_python)(numbers(links), level, table)
    red, green, blue = links[0].fill
    return Itinerary(
        table[:rows],
        fields_of(links),
        Box(left, top, right, bottom),
        shrink_x,
        shrink_y,
        (red * level, green * level, blue * level) if filled else None,
    )


def fields_of(links: Sequence[Link]) -> NDArray[np.float32]:
    """The displacement fields of a chain, one after the other, as a route comes to them."""
    fields = [field.numpy().ravel() for field in displacements(links)]
    return np.concatenate(fields) if fields else NO_FIELDS


def by_python(links: Numbers, level: float, table: Numbers) -> Plotted:
    """`plot` as Python runs it: over lists, whose numbers it reads several times as fast as those of arrays."""
    rows = table.tolist()
    found = plot(links.tolist(), level, rows)
    table[: found[0]] = rows[: found[0]]
    return found


def plot(links: Links, level: float, table: Table) -> Plotted:
    """Writes rows of `table`, all zeros; how many, then `box`, `shrink_x`, `shrink_y` and whether there is a fill."""
    first = links[0]
    height, width = first[INPUT], first[INPUT + 1]
    shrink_x, shrink_y = shrinking(links)
    unit = level * shrink_x * shrink_y
    rows, shows, matrix, reach = route(links, unit, table)
    inner = within(reach, width, height, shrink_x / 2.0, shrink_y / 2.0)
    border = REPLICATE if inner else int(first[BORDER])
    folds, filled = border in (REFLECT, WRAP), border == CONSTANT
    left, top, right, bottom = 0, 0, int(width), int(height)
    if (shrink_x > 1 or shrink_y > 1) and not folds:
        left, top, right, bottom = needed(reach, width, height, shrink_x, shrink_y)
    from_x, from_y = left / shrink_x + 0.5, top / shrink_y + 0.5
    to_units = (1.0 / shrink_x, 0.0, -from_x, 0.0, 1.0 / shrink_y, -from_y, 0.0, 0.0, 1.0)
    if folds:
        rows = move(table, rows, matrix)
        write(table[rows], FOLD, (width, height, 0.0, 0.0, float(border)))
        rows = move(table, rows + 1, to_units)
    else:
        rows = move(table, rows, multiply(to_units, matrix))
    columns, lines = float(-(-(right - left) // shrink_x)), float(-(-(bottom - top) // shrink_y))
    share = unit if filled else 0.0
    red, green, blue = first[FILL] * share, first[FILL + 1] * share, first[FILL + 2] * share
    outside = float(REPLICATE if border == REFLECT else border)
    write(table[rows], READ, (columns, lines, outside, red, green, blue, 1.0 / unit, 1.0 if shows else 0.0))
    return rows + 1, left, top, right, bottom, shrink_x, shrink_y, int(filled)
