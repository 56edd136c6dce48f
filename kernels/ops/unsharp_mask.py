"""unsharp_mask: sharpened as in a darkroom."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import gaussian, weighed


class UnsharpMask(Params):
    """Add what a Gaussian blur would take away, where that is more than a threshold; as Pillow's UnsharpMask.

    Outside the picture is its mirror image.
    """

    op: Literal["unsharp_mask"] = "unsharp_mask"
    sigma: Annotated[Range, Uniform(0, 32, unit="pixels")] = (0.7, 2.0)
    """Standard deviation of the Gaussian."""
    amount: Annotated[Range, Uniform(0, 10, unit="times")] = (0.5, 1.5)
    """How many times the difference is added."""
    threshold: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.0, 0.04)
    """Differences up to this are left: flat parts and their noise stay as they are."""


def unsharp_mask(image: torch.Tensor, sigma: float, amount: float, threshold: float) -> torch.Tensor:
    lost = image - weighed(image, gaussian(sigma))
    return image + torch.where(lost.abs() > threshold, amount * lost, 0.0)


OP = Op(
    UnsharpMask,
    Stencil(unsharp_mask),
    examples=(
        UnsharpMask(sigma=(3.0, 3.0), amount=(2.0, 2.0), threshold=(0.0, 0.0)),
        UnsharpMask(sigma=(1.0, 1.0), amount=(1.5, 1.5), threshold=(0.03, 0.03)),
    ),
)
