"""sand: a storm that carries sand."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels import words
from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Color, Params, Range, Uniform
from kernels.tensors import Size
from kernels.turbulence import turbulence


class Sand(Params):
    """Blow sand across the picture: a veil of its colour in long level streaks, and single grains."""

    op: Literal["sand"] = "sand"
    density: Annotated[Range, Uniform(0, 1, unit="share")] = (0.3, 0.7)
    """How much of the picture the veil hides where it is thickest; it is half as thick where it is thinnest."""
    grain: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.02, 0.08)
    """Standard deviation of the grains' light."""
    color: Color = (0.76, 0.6, 0.38)
    """Colour of the sand."""


def sand(
    image: torch.Tensor, seed: tuple[int, int], density: float, grain: float, color: tuple[float, float, float]
) -> torch.Tensor:
    size = Size(image.shape[2], image.shape[3])
    noise = turbulence(size, seed, 0.5 * size.width, 0.06 * size.height, octaves=3)
    thin = (1.5 - 2.0 * noise).clip(0.0, 1.0)
    covered = veiled(image, (density * (1.0 - 0.5 * thin)).astype(np.float32), color)
    place = torch.arange(size.pixels, device=image.device).view(*size)
    return covered + grain * torch.as_tensor(words.TORCH["normal"](place, seed, 0))


OP = Op(Sand, Whole(sand), examples=(Sand(density=(0.6, 0.6), grain=(0.06, 0.06)), Sand(density=(0.3, 0.3))))
