"""plasma_brightness: clouds of light and shade."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.fractals import plasma
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size
from kernels.words import NoiseSeed


class PlasmaBrightness(Params):
    """Add a random field of clouds, as much light as shade."""

    op: Literal["plasma_brightness"] = "plasma_brightness"
    roughness: Annotated[Range, Uniform(0, 1, unit="times the weight of the octave before")] = (0.1, 0.7)
    """How much fine detail the clouds have."""
    intensity: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.2, 0.6)
    """From the deepest shade to the brightest light: half of it is added, half taken away."""


def plasma_brightness(image: torch.Tensor, seed: NoiseSeed, roughness: float, intensity: float) -> torch.Tensor:
    clouds = plasma(Size(*image.shape[-2:]), seed, roughness).to(image.device)
    return image + intensity * (clouds - 0.5)


OP = Op(
    PlasmaBrightness,
    Whole(plasma_brightness),
    examples=(
        PlasmaBrightness(roughness=(0.5, 0.5), intensity=(0.9, 0.9)),
        PlasmaBrightness(roughness=(0.2, 0.2), intensity=(0.5, 0.5)),
    ),
)
