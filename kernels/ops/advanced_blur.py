"""advanced_blur: a blur of any direction and steepness, with uneven weights."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels import words
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.point_spreads import generalized_normal
from kernels.stencils import filtered


class AdvancedBlur(Params):
    """Blur with a turned generalized Gaussian whose weights are uneven, as the cameras of found pictures do.

    Wang et al., "Real-ESRGAN", 2021, and Albumentations' AdvancedBlur. Outside the picture is its mirror image.
    """

    op: Literal["advanced_blur"] = "advanced_blur"
    size: Annotated[IntegerRange, Integer(3, 63, unit="pixels")] = (5, 13)
    """Side of the window; an even one is taken one pixel larger."""
    sigma_x: Annotated[Range, Uniform(0.2, 32, unit="pixels")] = (0.5, 3.0)
    """Standard deviation along the first axis."""
    sigma_y: Annotated[Range, Uniform(0.2, 32, unit="pixels")] = (0.5, 3.0)
    """Standard deviation along the second."""
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (-90.0, 90.0)
    """How the axes are turned, counter-clockwise."""
    beta: Annotated[Range, Uniform(0.25, 8, unit="exponent")] = (0.5, 4.0)
    """Steepness: 1 is a Gaussian, more has a flatter middle and steeper sides."""
    noise: Annotated[Range, Uniform(0, 1, unit="fraction of a weight")] = (0.0, 0.1)
    """How far a weight may be from its own value."""


def advanced_blur(
    image: torch.Tensor,
    seed: words.NoiseSeed,
    size: int,
    sigma_x: float,
    sigma_y: float,
    degrees: float,
    beta: float,
    noise: float,
) -> torch.Tensor:
    odd = size + 1 - size % 2
    fractions = words.TORCH["uniform"](torch.arange(odd * odd).view(odd, odd), seed, 0)
    factors = 1.0 + noise * (2.0 * torch.as_tensor(fractions).numpy() - 1.0)
    return filtered(image, generalized_normal(odd, sigma_x, sigma_y, degrees, beta, factors))


OP = Op(
    AdvancedBlur,
    Whole(advanced_blur),
    examples=(
        AdvancedBlur(
            size=(21, 21),
            sigma_x=(6.0, 6.0),
            sigma_y=(1.0, 1.0),
            degrees=(40.0, 40.0),
            beta=(1.0, 1.0),
            noise=(0.2, 0.2),
        ),
        AdvancedBlur(
            size=(9, 9), sigma_x=(2.0, 2.0), sigma_y=(2.0, 2.0), degrees=(0.0, 0.0), beta=(4.0, 4.0), noise=(0.0, 0.0)
        ),
    ),
)
