"""shear: lean the picture."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels import matrices
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class Shear(Warp):
    """Lean the picture about its centre: `x` leans the upright lines, `y` the level ones."""

    op: Literal["shear"] = "shear"
    x: Annotated[Range, Uniform(-40, 40, unit="degrees")] = (-15, 15)
    """Angle by which upright lines lean; positive ones move the bottom to the right."""
    y: Annotated[Range, Uniform(-40, 40, unit="degrees")] = (0, 0)
    """Angle by which level lines lean; positive ones move the right side down."""


def matrix(size_in: Size, x: float, y: float) -> Matrix:
    return matrices.about_centre(matrices.shear(x, y), size_in)


OP = Op(Shear, Places(matrix), examples=(Shear(x=(20, 20)), Shear(x=(0, 0), y=(-15, -15))))
