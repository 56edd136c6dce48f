"""safe_rotate: turn, and shrink until all of it fits."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import turned_extent
from kernels.matrices import about_centre, multiply, rotation, scaling
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class SafeRotate(Warp):
    """Turn the picture about its centre and scale it so that it just fits its own canvas, no corner cut off."""

    op: Literal["safe_rotate"] = "safe_rotate"
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-90, 90)
    """Angle of the turn, counter-clockwise."""


def matrix(size_in: Size, degrees: float) -> Matrix:
    width, height = turned_extent(degrees, size_in)
    scale = min(size_in.width / width, size_in.height / height)
    return about_centre(multiply(scaling(scale, scale), rotation(degrees)), size_in)


OP = Op(
    SafeRotate, Places(matrix), examples=(SafeRotate(degrees=(40, 40)), SafeRotate(degrees=(90, 90), border="replicate"))
)
