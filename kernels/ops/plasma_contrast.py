"""plasma_contrast: clouds of more and less contrast."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.fractals import plasma
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size
from kernels.words import NoiseSeed


class PlasmaContrast(Params):
    """Move every value away from mid-grey, or towards it, by factors that change over the picture like clouds."""

    op: Literal["plasma_contrast"] = "plasma_contrast"
    roughness: Annotated[Range, Uniform(0, 1, unit="times the weight of the octave before")] = (0.1, 0.7)
    """How much fine detail the clouds have."""
    least: Annotated[Range, Uniform(0, 10, unit="times")] = (0.3, 0.7)
    """The factor where the clouds are lowest: 0 is mid-grey, 1 leaves it."""
    most: Annotated[Range, Uniform(0, 10, unit="times")] = (1.3, 2.0)
    """The factor where they are highest."""


def plasma_contrast(image: torch.Tensor, seed: NoiseSeed, roughness: float, least: float, most: float) -> torch.Tensor:
    clouds = plasma(Size(*image.shape[-2:]), seed, roughness).to(image.device)
    return (image - 0.5) * (least + (most - least) * clouds) + 0.5


OP = Op(
    PlasmaContrast,
    Whole(plasma_contrast),
    examples=(
        PlasmaContrast(roughness=(0.4, 0.4), least=(0.0, 0.0), most=(2.5, 2.5)),
        PlasmaContrast(roughness=(0.2, 0.2), least=(0.5, 0.5), most=(1.5, 1.5)),
    ),
)
