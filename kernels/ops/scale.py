"""scale: wider or narrower, taller or lower."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import about_centre, scaling
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class Scale(Warp):
    """Stretch the picture about its centre, each axis by its own factor; the canvas is kept. `affine` scales both alike."""

    op: Literal["scale"] = "scale"
    x: Annotated[Range, Uniform(0.05, 20, unit="times wider")] = (0.8, 1.2)
    """Stretch from left to right; below 1 the picture gets narrower."""
    y: Annotated[Range, Uniform(0.05, 20, unit="times taller")] = (0.8, 1.2)
    """Stretch from top to bottom."""


def matrix(size_in: Size, x: float, y: float) -> Matrix:
    return about_centre(scaling(x, y), size_in)


OP = Op(
    Scale, Places(matrix), examples=(Scale(x=(0.6, 0.6), y=(1.3, 1.3)), Scale(x=(1.5, 1.5), y=(0.7, 0.7), border="wrap"))
)
