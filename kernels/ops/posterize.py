"""posterize: fewer shades."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Integer, IntegerRange, Params
from kernels.words import Value, exp2, floor, rint


class Posterize(Params):
    """Keep only the first bits of every 8-bit value."""

    op: Literal["posterize"] = "posterize"
    bits: Annotated[IntegerRange, Integer(1, 8, unit="bits")] = (3, 5)
    """Bits kept: 1 leaves two shades of each channel, 8 leaves all."""


def shade(value: Value, width: Value) -> Value:
    # rounded to a whole level first, so that no value sits on the edge of a shade
    return floor(rint(value * 255.0) / width) * width / 255.0


def posterize(r: Value, g: Value, b: Value, bits: int) -> tuple[Value, Value, Value]:
    width = exp2(8.0 - bits)
    return shade(r, width), shade(g, width), shade(b, width)


OP = Op(Posterize, Pixels(posterize), examples=(Posterize(bits=(2, 2)), Posterize(bits=(4, 4))))
