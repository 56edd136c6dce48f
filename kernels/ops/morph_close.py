"""morph_close: dark specks go."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import closed


class MorphClose(Params):
    """Bright parts grow, then shrink again: dark parts smaller than a square window are gone, channel by channel."""

    op: Literal["morph_close"] = "morph_close"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 7)
    """Side of the window; an even one reaches one pixel further to the top and left, first."""


def morph_close(image: torch.Tensor, size: int) -> torch.Tensor:
    return closed(image, size)


OP = Op(MorphClose, Stencil(morph_close), examples=(MorphClose(size=(9, 9)), MorphClose(size=(8, 8))))
