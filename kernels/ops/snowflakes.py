"""snowflakes: falling snow."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.scatter import discs, numbers
from kernels.tensors import Size


class Snowflakes(Params):
    """Let flakes of snow fall in front of the picture: soft white discs, a few near and large, most far and small."""

    op: Literal["snowflakes"] = "snowflakes"
    flakes: Annotated[IntegerRange, Integer(0, 2000, unit="flakes")] = (300, 1000)
    """How many there are, whatever the picture's size."""
    size: Annotated[Range, Uniform(0.002, 0.05, unit="fraction of the shorter side")] = (0.01, 0.03)
    """Diameter of the largest; the others have a tenth of it at least."""
    softness: Annotated[Range, Uniform(0, 1, unit="of the largest's diameter")] = (0.1, 0.4)
    """Width of their blurred edges; 1 pixel at least."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (0.7, 1.0)
    """How much of the picture they hide."""


def snowflakes(
    image: torch.Tensor, seed: tuple[int, int], flakes: int, size: float, softness: float, opacity: float
) -> torch.Tensor:
    canvas = Size(image.shape[2], image.shape[3])
    across, down, near = (numbers(flakes, seed, channel) for channel in range(3))
    largest = size * min(canvas)
    # of things spread evenly in space, few are near: the third power is small for most
    radius = 0.5 * largest * (0.1 + 0.9 * near * near * near)
    shown = discs(canvas, across * canvas.width, down * canvas.height, radius, softness * largest)
    return veiled(image, shown * opacity, (1.0, 1.0, 1.0))


OP = Op(
    Snowflakes,
    Whole(snowflakes),
    examples=(
        Snowflakes(flakes=(900, 900), size=(0.05, 0.05), softness=(0.2, 0.2)),
        Snowflakes(flakes=(100, 100), size=(0.05, 0.05), softness=(0.8, 0.8)),
    ),
)
