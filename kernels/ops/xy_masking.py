"""xy_masking: hide a strip of columns and a strip of rows."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Color, Params, Range, Uniform
from kernels.shapes import begin
from kernels.words import Value, rint, where


class XyMasking(Params):
    """Fill a strip of whole columns and a strip of whole rows with one colour, as is done to spectrograms."""

    op: Literal["xy_masking"] = "xy_masking"
    width: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.05, 0.15)
    """Width of the upright strip; 0 is none."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Its place from left (0) to right (1)."""
    height: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.05, 0.15)
    """Height of the level strip; 0 is none."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Its place from top (0) to bottom (1)."""
    color: Color = (0.0, 0.0, 0.0)
    """Colour of the strips."""


def xy_masking(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    width: float,
    across: float,
    height: float,
    down: float,
    color: tuple[float, float, float],
) -> tuple[Value, Value, Value]:
    columns, rows = rint(width * w), rint(height * h)
    left, top = begin(across, w, columns), begin(down, h, rows)
    hit = ((x > left) & (x < left + columns)) | ((y > top) & (y < top + rows))
    return where(hit, color[0], r), where(hit, color[1], g), where(hit, color[2], b)


OP = Op(
    XyMasking,
    Pixels(xy_masking),
    examples=(
        XyMasking(width=(0.1, 0.1), across=(0.4, 0.4), height=(0.15, 0.15), down=(0.7, 0.7)),
        XyMasking(width=(0.3, 0.3), across=(0.9, 0.9), height=(0.0, 0.0), color=(0.5, 0.5, 0.5)),
    ),
)
