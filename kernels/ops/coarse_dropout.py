"""coarse_dropout: hide patches here and there."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import byte
from kernels.op import Op, Pixels
from kernels.params import Choice, Color, Integer, IntegerRange, Names, Params, Range, Uniform
from kernels.shapes import cell_side
from kernels.words import NoiseSeed, Value, cell, floor, uniform, where


class CoarseDropout(Params):
    """Divide the picture into square cells and hide some of them."""

    op: Literal["coarse_dropout"] = "coarse_dropout"
    amount: Annotated[Range, Uniform(0, 1, unit="share of cells")] = (0.05, 0.2)
    """Probability of each cell to be hidden."""
    cells: Annotated[IntegerRange, Integer(1, 1024, unit="cells along the shorter side")] = (6, 16)
    """How many cells there are; each is at least 2 pixels wide."""
    filling: Annotated[Names, Choice(("noise", "color"))] = ("color",)
    """What they are filled with: a random colour for each pixel, or `color`."""
    color: Color = (0.0, 0.0, 0.0)
    """The colour, where `filling` is color."""


def coarse_dropout(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    i: Value,
    seed: NoiseSeed,
    amount: float,
    cells: int,
    filling: int,
    color: tuple[float, float, float],
) -> tuple[Value, Value, Value]:
    side = cell_side(w, h, cells)
    hit = uniform(cell(floor(x / side), floor(y / side)), seed, 3) < amount
    return (
        where(hit, where(filling == 0, byte(uniform(i, seed, 0)), color[0]), r),
        where(hit, where(filling == 0, byte(uniform(i, seed, 1)), color[1]), g),
        where(hit, where(filling == 0, byte(uniform(i, seed, 2)), color[2]), b),
    )


OP = Op(
    CoarseDropout,
    Pixels(coarse_dropout),
    examples=(
        CoarseDropout(amount=(0.2, 0.2), cells=(8, 8)),
        CoarseDropout(amount=(0.1, 0.1), cells=(16, 16), filling=("noise",)),
    ),
)
