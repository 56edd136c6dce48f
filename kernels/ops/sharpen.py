"""sharpen: edges overdrawn."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import filtered


class Sharpen(Params):
    """Mix the picture with itself filtered by a kernel of 8 neighbours of weight -1 about a middle of 8 and more.

    Outside the picture is its mirror image.
    """

    op: Literal["sharpen"] = "sharpen"
    alpha: Annotated[Range, Uniform(0, 1, unit="share of the filtered picture")] = (0.2, 0.5)
    """Its share in the mixture."""
    lightness: Annotated[Range, Uniform(0, 2, unit="times")] = (0.75, 1.25)
    """What the middle of the kernel is above 8: 1 keeps the brightness of flat parts, 0 leaves nothing but edges."""


def sharpen(image: torch.Tensor, alpha: float, lightness: float) -> torch.Tensor:
    kernel = np.full((3, 3), -alpha, dtype=np.float32)
    kernel[1, 1] = alpha * (8.0 + lightness) + 1.0 - alpha
    return filtered(image, kernel)


OP = Op(
    Sharpen,
    Stencil(sharpen),
    examples=(
        Sharpen(alpha=(0.6, 0.6), lightness=(1.0, 1.0)),
        Sharpen(alpha=(0.3, 0.3), lightness=(0.6, 0.6)),
    ),
)
