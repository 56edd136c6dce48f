"""cutout: hide a part of the picture."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import byte
from kernels.holes import painted
from kernels.op import LevelForm, Op, Pixels
from kernels.params import Choice, Color, Names, Params, Range, Uniform
from kernels.shapes import begin
from kernels.words import NoiseSeed, Value, maximum, minimum, rint, sqrt, uniform, where


class Cutout(Params):
    """Fill a square, somewhere inside the picture, with random colours or with one colour.

    Where a square of that area is longer than the picture's shorter side, it becomes a rectangle of the same area.
    """

    op: Literal["cutout"] = "cutout"
    area: Annotated[Range, Uniform(0, 1, unit="share of the picture's area")] = (0.05, 0.15)
    """Area of the square."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Its place from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Its place from top (0) to bottom (1)."""
    filling: Annotated[Names, Choice(("noise", "color"))] = ("color",)
    """What it is filled with: a random colour for each pixel, or `color`."""
    color: Color = (0.5, 0.5, 0.5)
    """The colour, where `filling` is color."""


def extent(share: float, square: Value, side: float) -> Value:
    """Whole pixels of the hole along a side of the picture that is `side` long."""
    return minimum(rint(maximum(square, share * side)), side)


def hole(w: float, h: float, area: float, across: float, down: float) -> tuple[Value, Value, Value, Value]:
    """Where it begins and ends: left, top, right, bottom."""
    square = sqrt(area * w * h)
    width, height = extent(area, square, w), extent(area, square, h)
    left, top = begin(across, w, width), begin(down, h, height)
    return left, top, left + width, top + height


def cutout(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    i: Value,
    seed: NoiseSeed,
    area: float,
    across: float,
    down: float,
    filling: int,
    color: tuple[float, float, float],
) -> tuple[Value, Value, Value]:
    left, top, right, bottom = hole(w, h, area, across, down)
    hit = (x > left) & (x < right) & (y > top) & (y < bottom)
    return (
        where(hit, where(filling == 0, byte(uniform(i, seed, 0)), color[0]), r),
        where(hit, where(filling == 0, byte(uniform(i, seed, 1)), color[1]), g),
        where(hit, where(filling == 0, byte(uniform(i, seed, 2)), color[2]), b),
    )


def of_levels(area: float, across: float, down: float, filling: str, color: tuple[float, float, float]) -> LevelForm | None:
    return painted(hole, color, area=area, across=across, down=down) if filling == "color" else None


OP = Op(
    Cutout,
    Pixels(cutout, of_levels),
    examples=(
        Cutout(area=(0.15, 0.15), across=(0.5, 0.5), down=(0.5, 0.5)),
        Cutout(area=(0.1, 0.1), across=(0.2, 0.2), down=(0.8, 0.8), filling=("noise",)),
    ),
)
