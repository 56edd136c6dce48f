"""morph_open: bright specks go."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import opened


class MorphOpen(Params):
    """Dark parts grow, then shrink again: bright parts smaller than a square window are gone, channel by channel."""

    op: Literal["morph_open"] = "morph_open"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 7)
    """Side of the window; an even one reaches one pixel further to the top and left, first."""


def morph_open(image: torch.Tensor, size: int) -> torch.Tensor:
    return opened(image, size)


OP = Op(MorphOpen, Stencil(morph_open), examples=(MorphOpen(size=(9, 9)), MorphOpen(size=(6, 6))))
