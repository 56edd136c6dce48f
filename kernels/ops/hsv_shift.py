"""hsv_shift: move hue, saturation and value."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import at_hue, hue_of
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, clamp, maximum, minimum, where


class HsvShift(Params):
    """Add to the hue, the saturation and the value (HSV) of every pixel; grey pixels have no hue and stay grey."""

    op: Literal["hsv_shift"] = "hsv_shift"
    hue: Annotated[Range, Uniform(-0.5, 0.5, unit="turns of the colour circle")] = (-0.05, 0.05)
    """How far the colour circle is turned."""
    saturation: Annotated[Range, Uniform(-1, 1, unit="fraction of full saturation")] = (-0.12, 0.12)
    """What is added to the saturation."""
    value: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.08, 0.08)
    """What is added to the value, the brightest of the three channels."""


def hsv_shift(r: Value, g: Value, b: Value, hue: float, saturation: float, value: float) -> tuple[Value, Value, Value]:
    high = maximum(r, maximum(g, b))
    chroma = high - minimum(r, minimum(g, b))
    before = chroma / where(high > 0.0, high, 1.0)
    bright = clamp(high + value)
    colourful = bright * where(chroma > 0.0, clamp(before + saturation), 0.0)
    return at_hue(bright, colourful, hue_of(r, g, b, high, chroma) + hue * 6.0)


OP = Op(
    HsvShift,
    Pixels(hsv_shift),
    examples=(
        HsvShift(hue=(0.08, 0.08), saturation=(0.3, 0.3), value=(0.1, 0.1)),
        HsvShift(hue=(-0.04, -0.04), saturation=(-0.2, -0.2), value=(-0.08, -0.08)),
    ),
)
