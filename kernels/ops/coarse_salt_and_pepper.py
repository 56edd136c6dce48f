"""coarse_salt_and_pepper: white and black patches."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.shapes import cell_side
from kernels.words import NoiseSeed, Value, cell, floor, uniform, where


class CoarseSaltAndPepper(Params):
    """Divide the picture into square cells; make some white and others black."""

    op: Literal["coarse_salt_and_pepper"] = "coarse_salt_and_pepper"
    amount: Annotated[Range, Uniform(0, 1, unit="share of cells")] = (0.02, 0.1)
    """Probability of each cell to be changed."""
    salt: Annotated[Range, Uniform(0, 1, unit="share of the changed cells")] = (0.5, 0.5)
    """Probability of a changed cell to be white; the others are black."""
    cells: Annotated[IntegerRange, Integer(1, 1024, unit="cells along the shorter side")] = (20, 60)
    """How many cells there are; each is at least 2 pixels wide."""


def coarse_salt_and_pepper(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    seed: NoiseSeed,
    amount: float,
    salt: float,
    cells: int,
) -> tuple[Value, Value, Value]:
    side = cell_side(w, h, cells)
    here = cell(floor(x / side), floor(y / side))
    hit = uniform(here, seed, 0) < amount
    speck = where(uniform(here, seed, 1) < salt, 1.0, 0.0)
    return where(hit, speck, r), where(hit, speck, g), where(hit, speck, b)


OP = Op(
    CoarseSaltAndPepper,
    Pixels(coarse_salt_and_pepper),
    examples=(
        CoarseSaltAndPepper(amount=(0.15, 0.15), cells=(30, 30)),
        CoarseSaltAndPepper(amount=(0.05, 0.05), salt=(0.9, 0.9), cells=(60, 60)),
    ),
)
