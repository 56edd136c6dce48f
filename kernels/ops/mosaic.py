"""mosaic: four pictures around one point."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import multiply, translation
from kernels.op import Layer, Mix, Op, Region
from kernels.ops.cutmix import Fit, fitted
from kernels.params import Params, Range, SizeField, Uniform, size_of
from kernels.tensors import Size


class Mosaic(Params):
    """Put the picture and three others of the batch around a point of a new canvas: top left is the picture itself.

    Each is brought to the part it has; labels follow, and are cut at its edges. A. Bochkovskiy et al., "YOLOv4" (2020).
    """

    op: Literal["mosaic"] = "mosaic"
    size: SizeField = (512, 512)
    """Size of the result, [height, width] in pixels."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.3, 0.7)
    """Where the four meet, from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.3, 0.7)
    """Where the four meet, from top (0) to bottom (1)."""
    fit: Fit = "cover"
    """How each picture is brought to its part."""


def layer(place: int, source: Size, canvas: Size, x: float, y: float, fit: Fit) -> Layer:
    column, row = round(x * canvas.width), round(y * canvas.height)
    left, right = (column, canvas.width) if place % 2 else (0, column)
    top, bottom = (row, canvas.height) if place >= 2 else (0, row)
    region = Region(left, top, right, bottom)
    part = Size(max(bottom - top, 1), max(right - left, 1))
    return Layer(multiply(translation(left, top), fitted(fit, source, part)), region)


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    Mosaic,
    Mix(3, layer, canvas),
    examples=(Mosaic(size=(240, 360), x=(0.6, 0.6), y=(0.4, 0.4)), Mosaic(size=(96, 80), fit="stretch")),
)
