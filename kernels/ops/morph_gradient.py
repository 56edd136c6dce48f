"""morph_gradient: thick edges."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import highest, lowest


class MorphGradient(Params):
    """Replace every value by the largest of a square window less the smallest, channel by channel."""

    op: Literal["morph_gradient"] = "morph_gradient"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 5)
    """Side of the window; an even one reaches one pixel further to the top and left."""


def morph_gradient(image: torch.Tensor, size: int) -> torch.Tensor:
    return highest(image, size) - lowest(image, size)


OP = Op(MorphGradient, Stencil(morph_gradient), examples=(MorphGradient(size=(5, 5)), MorphGradient(size=(2, 2))))
