"""gaussian_blur: out of focus."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Stencil, Weighed
from kernels.params import Params, Range, Uniform
from kernels.stencils import gaussian


class GaussianBlur(Params):
    """Blur with a Gaussian, cut off at four times its sigma. Outside the picture is its mirror image."""

    op: Literal["gaussian_blur"] = "gaussian_blur"
    sigma: Annotated[Range, Uniform(0, 32, unit="pixels")] = (0.5, 2.0)
    """Standard deviation of the Gaussian; below an eighth of a pixel the picture stays as it is."""


OP = Op(GaussianBlur, Stencil(Weighed(gaussian)), examples=(GaussianBlur(sigma=(4.0, 4.0)), GaussianBlur(sigma=(1.0, 1.0))))
