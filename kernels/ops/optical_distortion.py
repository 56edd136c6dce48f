"""optical_distortion: a lens that bends straight lines."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.bends import from_middle, radial
from kernels.op import Field, Op
from kernels.params import Border, Range, Uniform, Warp
from kernels.tensors import Size


class OpticalDistortion(Warp):
    """Distort the picture as a lens does: above 0 like a barrel, its edges drawn in, below 0 like a pincushion.

    A point at distance r from the middle, in half diagonals, shows what was at r (1 + k r^2): the first term of Brown's
    lens model, as in OpenCV, where r is measured in focal lengths.
    """

    op: Literal["optical_distortion"] = "optical_distortion"
    border: Border = "replicate"
    """What is shown outside the picture."""
    k: Annotated[Range, Uniform(-0.3, 1, unit="of r^2, in half diagonals")] = (-0.15, 0.3)
    """Strength of the distortion."""


def displacement(size_in: Size, seed: tuple[int, int], k: float) -> torch.Tensor:
    x, y = from_middle(size_in)
    half = (size_in.width**2 + size_in.height**2) / 4
    return radial(x, y, 1.0 + (x * x + y * y) * (k / half))


OP = Op(
    OpticalDistortion,
    Field(displacement),
    examples=(OpticalDistortion(k=(0.7, 0.7), border="constant"), OpticalDistortion(k=(-0.3, -0.3))),
)
