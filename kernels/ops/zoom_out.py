"""zoom_out: the picture somewhere on a larger canvas."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import place, scaled
from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class ZoomOut(Warp):
    """Lay the picture at a random place on a larger canvas of its shape, so that objects get small beside it. Exact.

    W. Liu et al., "SSD: Single Shot MultiBox Detector" (ECCV 2016).
    """

    op: Literal["zoom_out"] = "zoom_out"
    factor: Annotated[Range, Uniform(1, 4, unit="times larger")] = (1.0, 4.0)
    """Sides of the canvas, in sides of the picture."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Place of the picture from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Place of the picture from top (0) to bottom (1)."""


def matrix(size_in: Size, factor: float, x: float, y: float) -> Matrix:
    size = canvas(size_in, factor)
    return translation(place(x, size.width - size_in.width), place(y, size.height - size_in.height))


def canvas(size_in: Size, factor: float) -> Size:
    return scaled(size_in, factor)


OP = Op(
    ZoomOut,
    Places(matrix, canvas),
    examples=(
        ZoomOut(factor=(1.6, 1.6), x=(0.7, 0.7), y=(0.3, 0.3), fill=(0.48, 0.46, 0.41)),
        ZoomOut(factor=(1.5, 1.5), border="reflect"),
    ),
)
