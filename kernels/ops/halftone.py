"""halftone: printed in dots."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma
from kernels.op import Op, Pixels
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.shapes import cosine, sine
from kernels.words import Value, clamp, where


class Halftone(Params):
    """Replace shades by dots on a turned grid: the darker a place, the larger its dots.

    The threshold is a sum of two waves, as in a photographic screen; edges of dots are a pixel wide.
    """

    op: Literal["halftone"] = "halftone"
    size: Annotated[Range, Uniform(2, 128, unit="pixels")] = (4.0, 8.0)
    """Distance of the dots."""
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (0.0, 90.0)
    """How far the grid of dots is turned."""
    ink: Annotated[Names, Choice(("grey", "color"))] = ("grey", "color")
    """Grey dots, or dots of three colours whose grids are 30 degrees apart."""


def screen(x: Value, y: Value, size: float, turns: float | Value) -> Value:
    """The threshold at a place: 0 in the middle between dots, 1 in the middle of a dot."""
    right, up = cosine(turns), sine(turns)
    return 0.5 + 0.25 * (cosine((x * right - y * up) / size) + cosine((x * up + y * right) / size))


def dotted(value: Value, threshold: Value, size: float) -> Value:
    return clamp((value - threshold) * (0.5 * size) + 0.5)


def halftone(
    r: Value, g: Value, b: Value, x: Value, y: Value, size: float, degrees: float, ink: int
) -> tuple[Value, Value, Value]:
    grey, turns = luma(r, g, b), degrees / 360.0
    apart = where(ink == 0, 0.0, 0.083333333)
    return (
        dotted(where(ink == 0, grey, r), screen(x, y, size, turns), size),
        dotted(where(ink == 0, grey, g), screen(x, y, size, turns + apart), size),
        dotted(where(ink == 0, grey, b), screen(x, y, size, turns + 2.0 * apart), size),
    )


OP = Op(
    Halftone,
    Pixels(halftone),
    examples=(
        Halftone(size=(6.0, 6.0), degrees=(15.0, 15.0), ink=("color",)),
        Halftone(size=(5.0, 5.0), degrees=(45.0, 45.0), ink=("grey",)),
    ),
)
