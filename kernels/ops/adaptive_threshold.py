"""adaptive_threshold: black and white, by what is around."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Choice, Integer, IntegerRange, Names, Params, Range, Uniform
from kernels.stencils import averaged, gaussian, weighed
from kernels.tables import grey_levels


class AdaptiveThreshold(Params):
    """Make a pixel black where its grey is below the mean around it, less an offset, and white elsewhere.

    Light that changes over the picture, as on a photographed page, does not matter. Outside is the picture's mirror image.
    """

    op: Literal["adaptive_threshold"] = "adaptive_threshold"
    size: Annotated[IntegerRange, Integer(3, 127, unit="pixels")] = (9, 31)
    """Side of the window; an even one is taken one pixel larger."""
    offset: Annotated[Range, Uniform(-0.5, 0.5, unit="fraction of full brightness")] = (0.01, 0.05)
    """How far below the mean a grey may be and still become white; it takes noise out of flat parts."""
    mean: Annotated[Names, Choice(("box", "gaussian"))] = ("box",)
    """Whether all of the window counts alike, or its middle more (a Gaussian; its sigma is a sixth of the window)."""


_TIE = 2e-6
"""More than a mean is off by rounding: a flat part is white at offset 0, everywhere alike."""


def adaptive_threshold(image: torch.Tensor, size: int, offset: float, mean: str) -> torch.Tensor:
    odd = size + 1 - size % 2
    grey = grey_levels(image[0]).to(torch.float32)[None, None] / 255.0
    around = averaged(grey, odd) if mean == "box" else weighed(grey, gaussian(odd / 6.0))
    white = grey - around >= -(offset + _TIE)
    return white.to(torch.float32).expand(1, 3, -1, -1)


OP = Op(
    AdaptiveThreshold,
    Stencil(adaptive_threshold),
    examples=(
        AdaptiveThreshold(size=(25, 25), offset=(0.03, 0.03)),
        AdaptiveThreshold(size=(15, 15), offset=(0.02, 0.02), mean=("gaussian",)),
    ),
)
