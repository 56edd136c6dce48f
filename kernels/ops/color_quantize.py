"""color_quantize: few colours."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Integer, IntegerRange, Params
from kernels.words import Value, rint


class ColorQuantize(Params):
    """Round every value to the nearest of a few shades, evenly spaced from black to white."""

    op: Literal["color_quantize"] = "color_quantize"
    shades: Annotated[IntegerRange, Integer(2, 128, unit="shades of each channel")] = (4, 12)
    """How many there are."""


def color_quantize(r: Value, g: Value, b: Value, shades: int) -> tuple[Value, Value, Value]:
    steps = shades - 1.0
    return rint(r * steps) / steps, rint(g * steps) / steps, rint(b * steps) / steps


OP = Op(ColorQuantize, Pixels(color_quantize), examples=(ColorQuantize(shades=(3, 3)), ColorQuantize(shades=(8, 8))))
