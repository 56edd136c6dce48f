"""min_filter: dark parts grow."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import lowest


class MinFilter(Params):
    """Replace every value by the smallest of a square window, channel by channel; dark parts grow."""

    op: Literal["min_filter"] = "min_filter"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 5)
    """Side of the window; an even one reaches one pixel further to the top and left."""


def min_filter(image: torch.Tensor, size: int) -> torch.Tensor:
    return lowest(image, size)


OP = Op(MinFilter, Stencil(min_filter), examples=(MinFilter(size=(7, 7)), MinFilter(size=(4, 4))))
