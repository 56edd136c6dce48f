"""rgb_shift: each channel gets an offset of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class RgbShift(Params):
    """Add to each channel a number of its own."""

    op: Literal["rgb_shift"] = "rgb_shift"
    red: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.08, 0.08)
    """What is added to red."""
    green: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.08, 0.08)
    """What is added to green."""
    blue: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.08, 0.08)
    """What is added to blue."""


def rgb_shift(r: Value, g: Value, b: Value, red: float, green: float, blue: float) -> tuple[Value, Value, Value]:
    return r + red, g + green, b + blue


OP = Op(
    RgbShift,
    Pixels(rgb_shift),
    examples=(
        RgbShift(red=(0.15, 0.15), green=(-0.1, -0.1), blue=(0.1, 0.1)),
        RgbShift(red=(-0.08, -0.08), green=(0.04, 0.04), blue=(0.0, 0.0)),
    ),
)
