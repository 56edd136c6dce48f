"""random_erasing: hide a rectangle of random size and shape."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import byte
from kernels.holes import painted
from kernels.op import LevelForm, Op, Pixels
from kernels.params import Choice, Color, Names, Params, Range, Uniform
from kernels.shapes import begin
from kernels.words import NoiseSeed, Value, maximum, minimum, rint, sqrt, uniform, where


class RandomErasing(Params):
    """Fill a rectangle, somewhere inside the picture, with random colours or with one colour.

    A rectangle that is too long for the picture keeps its area, not its shape. Zhong et al., "Random Erasing Data
    Augmentation", 2020.
    """

    op: Literal["random_erasing"] = "random_erasing"
    scale: Annotated[Range, Uniform(0, 1, unit="fraction of the area")] = (0.02, 0.33)
    """Area of the rectangle."""
    ratio: Annotated[Range, Uniform(0.1, 10, unit="width / height")] = (0.3, 3.3)
    """Its shape."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Its place from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Its place from top (0) to bottom (1)."""
    filling: Annotated[Names, Choice(("noise", "color"))] = ("color",)
    """What it is filled with: a random colour for each pixel, or `color`."""
    color: Color = (0.0, 0.0, 0.0)
    """The colour, where `filling` is color."""


def hole(w: float, h: float, scale: float, ratio: float, across: float, down: float) -> tuple[Value, Value, Value, Value]:
    """Where it begins and ends: left, top, right, bottom."""
    area = maximum(scale * w * h, 0.000001)
    long = minimum(area / minimum(sqrt(area * ratio), w), h)
    height, width = rint(long), rint(area / long)
    left, top = begin(across, w, width), begin(down, h, height)
    return left, top, left + width, top + height


def random_erasing(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    i: Value,
    seed: NoiseSeed,
    scale: float,
    ratio: float,
    across: float,
    down: float,
    filling: int,
    color: tuple[float, float, float],
) -> tuple[Value, Value, Value]:
    left, top, right, bottom = hole(w, h, scale, ratio, across, down)
    hit = (x > left) & (x < right) & (y > top) & (y < bottom)
    return (
        where(hit, where(filling == 0, byte(uniform(i, seed, 0)), color[0]), r),
        where(hit, where(filling == 0, byte(uniform(i, seed, 1)), color[1]), g),
        where(hit, where(filling == 0, byte(uniform(i, seed, 2)), color[2]), b),
    )


def of_levels(
    scale: float, ratio: float, across: float, down: float, filling: str, color: tuple[float, float, float]
) -> LevelForm | None:
    return painted(hole, color, scale=scale, ratio=ratio, across=across, down=down) if filling == "color" else None


OP = Op(
    RandomErasing,
    Pixels(random_erasing, of_levels),
    examples=(
        RandomErasing(scale=(0.15, 0.15), ratio=(2.0, 2.0), across=(0.3, 0.3), down=(0.4, 0.4)),
        RandomErasing(scale=(0.1, 0.1), ratio=(0.5, 0.5), across=(0.8, 0.8), down=(0.2, 0.2), filling=("noise",)),
    ),
)
