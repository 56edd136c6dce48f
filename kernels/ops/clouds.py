"""clouds: the picture from above, through clouds."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size
from kernels.turbulence import smoothstep, turbulence


class Clouds(Params):
    """Lay white clouds over the picture, with gaps between them, as satellites see the ground."""

    op: Literal["clouds"] = "clouds"
    cover: Annotated[Range, Uniform(0, 1, unit="share")] = (0.3, 0.6)
    """How much of the picture lies under clouds, roughly."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (0.6, 1.0)
    """How much of the picture a thick cloud hides."""
    scale: Annotated[Range, Uniform(0.05, 2, unit="fraction of the longer side")] = (0.2, 0.5)
    """Size of the clouds."""
    softness: Annotated[Range, Uniform(0, 1, unit="share")] = (0.3, 0.6)
    """How gently they end: 0 is a sharp edge."""


def clouds(
    image: torch.Tensor, seed: tuple[int, int], cover: float, opacity: float, scale: float, softness: float
) -> torch.Tensor:
    size = Size(image.shape[2], image.shape[3])
    cell = scale * max(size)
    noise = turbulence(size, seed, cell, cell, octaves=4)
    # the noise lies about 1/2, nearly all of it within a quarter
    edge, half = 0.75 - 0.5 * cover, 0.02 + 0.15 * softness
    return veiled(image, opacity * smoothstep(noise, edge - half, edge + half), (1.0, 1.0, 1.0))


OP = Op(
    Clouds,
    Whole(clouds),
    examples=(
        Clouds(cover=(0.5, 0.5), opacity=(0.95, 0.95), scale=(0.35, 0.35), softness=(0.3, 0.3)),
        Clouds(cover=(0.8, 0.8), opacity=(0.6, 0.6), softness=(0, 0)),
    ),
)
