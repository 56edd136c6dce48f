"""grid_mask: hide a grid of squares."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Color, Integer, IntegerRange, Params, Range, Uniform
from kernels.shapes import cell_side
from kernels.words import Value, floor, rint, where


class GridMask(Params):
    """Fill a regular grid of squares with one colour."""

    op: Literal["grid_mask"] = "grid_mask"
    cells: Annotated[IntegerRange, Integer(1, 256, unit="cells along the shorter side")] = (4, 8)
    """Cells of the grid; each has one square, and is at least 2 pixels wide."""
    share: Annotated[Range, Uniform(0, 1, unit="fraction of a cell's side")] = (0.4, 0.6)
    """Side of the square within its cell."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of a cell")] = (0.0, 1.0)
    """How far the grid is moved to the left."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of a cell")] = (0.0, 1.0)
    """How far the grid is moved up."""
    color: Color = (0.0, 0.0, 0.0)
    """Colour of the squares."""


def place(position: Value, cell: Value, moved: float) -> Value:
    """Whole pixels between the start of its cell and a pixel, from the pixel's centre."""
    # half a pixel is kept in the division: no place sits on a cell's edge, where one rounding would move it
    centre = position + floor(moved * cell)
    return floor(centre - cell * floor(centre / cell))


def grid_mask(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    cells: int,
    share: float,
    across: float,
    down: float,
    color: tuple[float, float, float],
) -> tuple[Value, Value, Value]:
    side = cell_side(w, h, cells)
    square = rint(side * share) - 0.5
    hit = (place(x, side, across) < square) & (place(y, side, down) < square)
    return where(hit, color[0], r), where(hit, color[1], g), where(hit, color[2], b)


OP = Op(
    GridMask,
    Pixels(grid_mask),
    examples=(
        GridMask(cells=(6, 6), share=(0.5, 0.5), across=(0.25, 0.25), down=(0.25, 0.25)),
        GridMask(cells=(12, 12), share=(0.3, 0.3), across=(0.0, 0.0), down=(0.0, 0.0), color=(1.0, 1.0, 1.0)),
    ),
)
