"""grid_shuffle: a jigsaw."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from kernels.matrices import translation
from kernels.op import Layer, Mix, Op, Region
from kernels.params import Integer, IntegerRange, Params
from kernels.scatter import numbers
from kernels.tensors import Size


class GridShuffle(Params):
    """Cut the picture into equal cells and put them in another order; what is left over at the right and bottom stays.

    Labels are cut with it: a box or outline comes as one piece for each cell that has enough of it (`min_visible`), and
    each keypoint goes with its cell. M. Noroozi and P. Favaro's jigsaw puzzles (ECCV 2016).
    """

    op: Literal["grid_shuffle"] = "grid_shuffle"
    cells: Annotated[IntegerRange, Integer(2, 10, unit="cells along each side")] = (2, 4)
    """How many columns, and how many rows."""


def layer(place: int, source: Size, canvas: Size, seed: tuple[int, int], cells: int) -> Layer:
    high, wide = (side // cells for side in canvas)
    if place >= cells * cells:
        # the two strips that are left over: at the right, from top to bottom, and below the cells
        right, below = Region(cells * wide, 0, *canvas[::-1]), Region(0, cells * high, cells * wide, canvas.height)
        return Layer(translation(0.0, 0.0), right if place == cells * cells else below)
    row, column = divmod(place, cells)
    source_row, source_column = divmod(int(np.argsort(numbers(cells * cells, seed, 0))[place]), cells)
    moved = translation((column - source_column) * wide, (row - source_row) * high)
    return Layer(moved, Region(column * wide, row * high, (column + 1) * wide, (row + 1) * high))


def pieces(cells: int) -> int:
    return cells * cells + 2


OP = Op(GridShuffle, Mix(0, layer, pieces=pieces), examples=(GridShuffle(cells=(3, 3)), GridShuffle(cells=(5, 5))))
