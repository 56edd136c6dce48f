"""rotate_expand: turn, on a canvas that holds all of it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from kernels.framing import largest, turned_about_centres, turned_extent
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class RotateExpand(Warp):
    """Turn the picture and enlarge the canvas so that no corner is cut off; positive angles turn counter-clockwise.

    Scale is kept, but where the canvas would be larger than a picture may be. torchvision's `expand`, imgaug's
    `fit_output`; `safe_rotate` keeps the canvas instead.
    """

    op: Literal["rotate_expand"] = "rotate_expand"
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-30, 30)
    """Angle of the turn."""


def matrix(size_in: Size, degrees: float) -> Matrix:
    factor = min(largest(*turned_extent(degrees, size_in)), 1.0)
    return turned_about_centres(degrees, size_in, canvas(size_in, degrees), factor)


def canvas(size_in: Size, degrees: float) -> Size:
    width, height = turned_extent(degrees, size_in)
    factor = largest(width, height)
    if factor < 1.0:
        return Size(math.floor(height * factor), math.floor(width * factor))
    return Size(math.ceil(height - 1e-6), math.ceil(width - 1e-6))


OP = Op(
    RotateExpand,
    Places(matrix, canvas),
    examples=(RotateExpand(degrees=(30, 30)), RotateExpand(degrees=(-90, -90)), RotateExpand(border="reflect")),
)
