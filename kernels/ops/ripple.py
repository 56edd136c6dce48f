"""ripple: rings on water, from where a stone fell."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels.bends import from_middle
from kernels.op import Field, Op
from kernels.params import Border, Range, Uniform, Warp
from kernels.tensors import Size

_HIGHEST = 0.85 / (math.tau + 0.86)
"""Height of waves, in wavelengths, at which what is read moves by 0.85 of a pixel less or more from one to the next:
a wave's slope is tau times its height, and the curve by which the first one grows adds 0.86 of it at most."""


class Ripple(Warp):
    """Draw the picture to and from a point in rings; they grow over the first wavelength and are even from there on.

    They are at most an eighth of their length high, so that nothing folds over itself.
    """

    op: Literal["ripple"] = "ripple"
    border: Border = "reflect"
    """What is shown outside the picture."""
    amplitude: Annotated[Range, Uniform(0, 0.2, unit="fraction of the shorter side")] = (0.005, 0.02)
    """Height of the waves."""
    wavelength: Annotated[Range, Uniform(0.05, 2, unit="fraction of the shorter side")] = (0.1, 0.3)
    """Distance of the rings."""
    phase: Annotated[Range, Uniform(0, 1, unit="waves")] = (0, 1)
    """Where the waves begin, at the point."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.2, 0.8)
    """The point, from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.2, 0.8)
    """The point, from top (0) to bottom (1)."""


def displacement(
    size_in: Size, seed: tuple[int, int], amplitude: float, wavelength: float, phase: float, x: float, y: float
) -> torch.Tensor:
    right, down = from_middle(size_in, x, y)
    shorter = min(size_in)
    waves = (right * right + down * down).sqrt() / (wavelength * shorter)
    # over the distance it is 1 - exp(-r^2), which is r^2 in the middle: nothing is divided by 0 there
    grown = (1.0 - (-waves * waves).exp()) / waves.clamp(min=1e-6)
    pull = (waves + phase).mul_(math.tau).sin_().mul_(grown).mul_(min(amplitude / wavelength, _HIGHEST))
    return torch.stack([right * pull, down * pull])


OP = Op(
    Ripple,
    Field(displacement),
    examples=(
        Ripple(amplitude=(0.05, 0.05), wavelength=(0.25, 0.25), phase=(0, 0), x=(0.5, 0.5), y=(0.5, 0.5)),
        Ripple(amplitude=(0.1, 0.1), wavelength=(0.8, 0.8), border="constant"),
    ),
)
