"""gaussian_blur: out of focus."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import gaussian, weighed


class GaussianBlur(Params):
    """Blur with a Gaussian, cut off at four times its sigma. Outside the picture is its mirror image."""

    op: Literal["gaussian_blur"] = "gaussian_blur"
    sigma: Annotated[Range, Uniform(0, 32, unit="pixels")] = (0.5, 2.0)
    """Standard deviation of the Gaussian; below an eighth of a pixel the picture stays as it is."""


def gaussian_blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    return weighed(image, gaussian(sigma))


OP = Op(GaussianBlur, Stencil(gaussian_blur), examples=(GaussianBlur(sigma=(4.0, 4.0)), GaussianBlur(sigma=(1.0, 1.0))))
