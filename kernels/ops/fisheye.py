"""fisheye: a lens that sees far to the sides."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels.bends import from_middle, radial
from kernels.op import Field, Op
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class Fisheye(Params):
    """Show the picture as an equidistant fisheye lens would: the middle is enlarged, the sides are drawn together.

    The picture is taken as a plane seen under a field of view from corner to corner; its corners stay where they are.
    """

    op: Literal["fisheye"] = "fisheye"
    degrees: Annotated[Range, Uniform(1, 160, unit="degrees")] = (60, 120)
    """Field of view: the wider, the stronger the bend."""


def displacement(size_in: Size, seed: tuple[int, int], degrees: float) -> torch.Tensor:
    x, y = from_middle(size_in)
    view, half = math.radians(degrees) / 2, math.hypot(*size_in) / 2
    # r = half tan(view r' / half) / tan(view); the least distance keeps 0 / 0 out, where the quotient is even
    far = (x * x + y * y).sqrt().clamp_(min=1e-3 * half).mul_(1.0 / half)
    return radial(x, y, (far * view).tan_().div_(far * math.tan(view)))


OP = Op(Fisheye, Field(displacement), examples=(Fisheye(degrees=(130, 130)), Fisheye(degrees=(80, 80))))
