"""rotate_expand: turn, on a canvas that holds all of it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from kernels.framing import turned_about_centres, turned_extent
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class RotateExpand(Warp):
    """Turn the picture and enlarge the canvas so that no corner is cut off; positive angles turn counter-clockwise.

    Scale is kept: torchvision's `expand`, imgaug's `fit_output`. `safe_rotate` keeps the canvas instead.
    """

    op: Literal["rotate_expand"] = "rotate_expand"
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-30, 30)
    """Angle of the turn."""


def matrix(size_in: Size, degrees: float) -> Matrix:
    return turned_about_centres(degrees, size_in, canvas(size_in, degrees))


def canvas(size_in: Size, degrees: float) -> Size:
    width, height = turned_extent(degrees, size_in)
    return Size(math.ceil(height - 1e-6), math.ceil(width - 1e-6))


OP = Op(
    RotateExpand,
    Places(matrix, canvas),
    examples=(RotateExpand(degrees=(30, 30)), RotateExpand(degrees=(-90, -90)), RotateExpand(border="reflect")),
)
