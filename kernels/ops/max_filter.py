"""max_filter: bright parts grow."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import highest


class MaxFilter(Params):
    """Replace every value by the largest of a square window, channel by channel; bright parts grow."""

    op: Literal["max_filter"] = "max_filter"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 5)
    """Side of the window; an even one reaches one pixel further to the top and left."""


def max_filter(image: torch.Tensor, size: int) -> torch.Tensor:
    return highest(image, size)


OP = Op(MaxFilter, Stencil(max_filter), examples=(MaxFilter(size=(7, 7)), MaxFilter(size=(4, 4))))
