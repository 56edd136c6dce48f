"""fog: white air between the eye and the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Color, Params, Range, Uniform
from kernels.tensors import Size
from kernels.turbulence import turbulence


class Fog(Params):
    """Lay fog over the picture, thick in some places and thin in others."""

    op: Literal["fog"] = "fog"
    density: Annotated[Range, Uniform(0, 1, unit="share")] = (0.3, 0.7)
    """How much of the picture it hides where it is thickest."""
    patchiness: Annotated[Range, Uniform(0, 1, unit="share")] = (0.3, 0.8)
    """How much of it is missing where it is thinnest: 0 is even, as haze is."""
    scale: Annotated[Range, Uniform(0.05, 2, unit="fraction of the longer side")] = (0.2, 0.6)
    """Size of its largest patches."""
    color: Color = (0.9, 0.91, 0.93)
    """Its colour."""


def fog(
    image: torch.Tensor,
    seed: tuple[int, int],
    density: float,
    patchiness: float,
    scale: float,
    color: tuple[float, float, float],
) -> torch.Tensor:
    size = Size(image.shape[2], image.shape[3])
    cell = scale * max(size)
    noise = turbulence(size, seed, cell, cell, octaves=4)
    # noise of several octaves seldom leaves the middle half of its range
    thin = (1.5 - 2.0 * noise).clip(0.0, 1.0)
    return veiled(image, (density * (1.0 - patchiness * thin)).astype(noise.dtype), color)


OP = Op(
    Fog,
    Whole(fog),
    examples=(
        Fog(density=(0.9, 0.9), patchiness=(0.8, 0.8), scale=(0.4, 0.4)),
        Fog(density=(0.6, 0.6), patchiness=(0, 0)),
    ),
)
