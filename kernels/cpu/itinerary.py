"""Itineraries: a chain's route written as the table that kernels follow, and the source made ready for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.chain import Link, displacements, numbers
from kernels.cpu.compiled import Plotted
from kernels.cpu.places import COLUMNS, CONSTANT, FOLD, INSIDE, READ, REFLECT, REPLICATE, WRAP
from kernels.matrices import multiply
from kernels.readings import often, smoothing
from kernels.route import (
    BORDER,
    FILL,
    INPUT,
    Boxes,
    Fill,
    Lattice,
    Links,
    Table,
    counted,
    lattice,
    middle,
    most_rows,
    move,
    route,
    within,
    write,
)

NO_FIELDS = np.zeros(0, np.float32)
Numbers = NDArray[np.float64]


class Itinerary(NamedTuple):
    """How an output is read from a source: the table, its displacement fields, and what the source must be first.

    readings: how often each output pixel is read along its row and its column. boxes: what the source's pixels are added
    up in, and `lattice` where. Boxes that reach beyond the edge go on as `border` says, a code of `places`; `fill`, in
    levels of the source, is what is beyond it where that is CONSTANT.
    """

    table: Numbers
    fields: NDArray[np.float32]
    readings: tuple[int, int]
    boxes: Boxes
    lattice: Lattice
    border: int
    fill: Fill


def itinerary(
    links: Sequence[Link], level: float, plotted: Callable[[Numbers, float, Numbers], Plotted] | None = None
) -> Itinerary:
    """How to read the output of a chain from a source whose values go from 0 to `level`.

    plotted: `plot` as it is compiled; without it Python runs it.
    """
    table = np.zeros((most_rows(len(links)), COLUMNS))
    plan = (plotted or by_python)(numbers(links), level, table)
    rows = plan[0]
    red, green, blue = links[0].fill
    return Itinerary(
        table[:rows],
        fields_of(links),
        plan[1:3],
        Boxes(*plan[3:9]),
        Lattice(*plan[9:13]),
        plan[13],
        (red * level, green * level, blue * level),
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
    """Writes rows of `table`, all zeros.

    How many, how often each output pixel is read along its row and its column, `Boxes`, `lattice`, and the border that can
    be seen, or INSIDE.
    """
    first = links[0]
    height, width = first[INPUT], first[INPUT + 1]
    aside, off, wide, high, across, down, column_weight, row_weight = smoothing(links)
    read_across, read_down = often(aside), often(off)
    unit = level * counted(wide, column_weight) * counted(high, row_weight)
    rows, shows, matrix, reach = route(links, unit, (read_across, read_down), table)
    middle_x, middle_y = middle(wide, column_weight), middle(high, row_weight)
    inner = within(reach, width, height, wide - middle_x, high - middle_y)
    border = INSIDE if inner else int(first[BORDER])
    left, top, columns, lines = 0, 0, int(width), int(height)
    # single pixels are read where they are
    if wide > 1 or high > 1:
        left, top, columns, lines = lattice(reach, width, height, (wide, high, across, down), border)
    from_x, from_y = (left + middle_x) / across, (top + middle_y) / down
    to_units = (1.0 / across, 0.0, -from_x, 0.0, 1.0 / down, -from_y, 0.0, 0.0, 1.0)
    if border in (REFLECT, WRAP):
        rows = move(table, rows, matrix)
        write(table[rows], FOLD, (width, height, 0.0, 0.0, float(border)))
        rows = move(table, rows + 1, to_units)
    else:
        rows = move(table, rows, multiply(to_units, matrix))
    share = unit if border == CONSTANT else 0.0
    red, green, blue = first[FILL] * share, first[FILL + 1] * share, first[FILL + 2] * share
    outside = float(REPLICATE if border in (REFLECT, INSIDE) else border)
    shown = 1.0 if shows else 0.0
    write(table[rows], READ, (float(columns), float(lines), outside, red, green, blue, 1.0 / unit, shown))
    table[0][7], table[0][8] = aside, off
    return (
        rows + 1,
        read_across,
        read_down,
        wide,
        high,
        across,
        down,
        column_weight,
        row_weight,
        left,
        top,
        columns,
        lines,
        border,
    )
