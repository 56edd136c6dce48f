"""spatter: mud or water on the lens."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.tensors import Size
from kernels.turbulence import smoothstep, turbulence

_COLOURS = {"mud": (0.25, 0.17, 0.08), "water": (0.75, 0.86, 0.9)}


class Spatter(Params):
    """Spatter the lens with blobs of mud, or of water, which glitters at the edges."""

    op: Literal["spatter"] = "spatter"
    cover: Annotated[Range, Uniform(0, 0.9, unit="share of the picture")] = (0.1, 0.3)
    """How much of the picture the blobs cover."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (0.7, 1.0)
    """How much of it they hide."""
    scale: Annotated[Range, Uniform(0.01, 1, unit="fraction of the shorter side")] = (0.05, 0.15)
    """Size of the blobs."""
    liquid: Annotated[Names, Choice(tuple(_COLOURS))] = ("mud", "water")
    """What it is."""


def spatter(
    image: torch.Tensor, seed: tuple[int, int], cover: float, opacity: float, scale: float, liquid: str
) -> torch.Tensor:
    size = Size(image.shape[2], image.shape[3])
    cell = scale * min(size)
    noise = turbulence(size, seed, cell, cell, octaves=3)
    edge = float(np.quantile(noise, 1.0 - cover))
    blobs = smoothstep(noise, edge - 0.01, edge + 0.01)
    if liquid == "water":
        # light gathers at the rim of a drop and goes through its middle
        blobs *= 1.0 - 0.8 * smoothstep(noise, edge, edge + 0.1)
    return veiled(image, (opacity * blobs).astype(np.float32), _COLOURS[liquid])


OP = Op(
    Spatter,
    Whole(spatter),
    examples=(
        Spatter(cover=(0.25, 0.25), opacity=(0.95, 0.95), scale=(0.12, 0.12), liquid=("mud",)),
        Spatter(cover=(0.5, 0.5), opacity=(1, 1), liquid=("water",)),
    ),
)
