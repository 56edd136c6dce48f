"""top_hat: bright details only."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params
from kernels.stencils import opened


class TopHat(Params):
    """Keep of every value what `morph_open` would take away: bright parts smaller than a square window."""

    op: Literal["top_hat"] = "top_hat"
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (9, 25)
    """Side of the window; an even one reaches one pixel further to the top and left, first."""


def top_hat(image: torch.Tensor, size: int) -> torch.Tensor:
    return image - opened(image, size)


OP = Op(TopHat, Stencil(top_hat), examples=(TopHat(size=(21, 21)), TopHat(size=(6, 6))))
