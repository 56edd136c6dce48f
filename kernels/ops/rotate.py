"""rotate: turn about the centre."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import about_centre, rotation
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class Rotate(Warp):
    """Turn the picture about its centre, the canvas kept; positive angles turn counter-clockwise."""

    op: Literal["rotate"] = "rotate"
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-15, 15)
    """Angle of the turn."""


def matrix(size_in: Size, degrees: float) -> Matrix:
    return about_centre(rotation(degrees), size_in)


OP = Op(Rotate, Places(matrix), examples=(Rotate(degrees=(30, 30)), Rotate(degrees=(-20, -20), border="reflect")))
