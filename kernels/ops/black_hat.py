"""black_hat: dark details only."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import closed


class BlackHat(Params):
    """Show what `morph_close` would add to every value: dark parts smaller than a square window, as light on black."""

    op: Literal["black_hat"] = "black_hat"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (9, 25)
    """Side of the window; an even one reaches one pixel further to the top and left, first."""


def black_hat(image: torch.Tensor, size: int) -> torch.Tensor:
    return closed(image, size) - image


OP = Op(BlackHat, Stencil(black_hat), examples=(BlackHat(size=(21, 21)), BlackHat(size=(6, 6))))
