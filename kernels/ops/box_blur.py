"""box_blur: the mean of a square."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import averaged


class BoxBlur(Params):
    """Replace every value by the mean of a square window. Outside the picture is its mirror image."""

    op: Literal["box_blur"] = "box_blur"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 7)
    """Side of the window; an even one reaches one pixel further to the top and left."""


def box_blur(image: torch.Tensor, size: int) -> torch.Tensor:
    return averaged(image, size)


OP = Op(BoxBlur, Stencil(box_blur), examples=(BoxBlur(size=(11, 11)), BoxBlur(size=(4, 4))))
