"""dithering: few shades, in a pattern of dots that looks like more."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Integer, IntegerRange, Params
from kernels.words import Value, floor


class Dithering(Params):
    """Round every value to one of the two nearest shades, up or down by a pattern of 8 x 8 pixels, so that its mean stays.

    Ordered dithering: Bayer, "An Optimum Method for Two-Level Rendition of Continuous-Tone Pictures", 1973.
    """

    op: Literal["dithering"] = "dithering"
    shades: Annotated[IntegerRange, Integer(2, 64, unit="shades of each channel")] = (2, 6)
    """How many there are, evenly spaced from black to white."""


def odd(a: Value) -> Value:
    """1 where the whole number a is odd, 0 where it is even."""
    return a - 2.0 * floor(a * 0.5)


def two_bits(column: Value, row: Value) -> Value:
    """The pattern of 2 x 2 pixels: 0 2, 3 1."""
    a, b = odd(column), odd(row)
    return 2.0 * (a + b - 2.0 * a * b) + b


def bayer(column: Value, row: Value) -> Value:
    """The pattern of 8 x 8 pixels: each of 0 to 63 once."""
    finest = two_bits(column, row)
    middle = two_bits(floor(column * 0.5), floor(row * 0.5))
    return 16.0 * finest + 4.0 * middle + two_bits(floor(column * 0.25), floor(row * 0.25))


def dithering(r: Value, g: Value, b: Value, x: Value, y: Value, shades: int) -> tuple[Value, Value, Value]:
    steps = shades - 1.0
    lift = (bayer(floor(x), floor(y)) + 0.5) / 64.0
    return floor(r * steps + lift) / steps, floor(g * steps + lift) / steps, floor(b * steps + lift) / steps


OP = Op(Dithering, Pixels(dithering), examples=(Dithering(shades=(2, 2)), Dithering(shades=(4, 4))))
