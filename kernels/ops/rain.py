"""rain: falling drops."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.scatter import numbers, streaks
from kernels.tensors import Size


class Rain(Params):
    """Let rain fall in front of the picture: streaks of light, all leaning alike, in dimmer light."""

    op: Literal["rain"] = "rain"
    drops: Annotated[IntegerRange, Integer(0, 3000, unit="drops")] = (500, 1500)
    """How many there are, whatever the picture's size."""
    length: Annotated[Range, Uniform(0.005, 0.2, unit="fraction of the shorter side")] = (0.04, 0.1)
    """Length of the longest streaks; the others have half of it at least."""
    width: Annotated[Range, Uniform(0.001, 0.01, unit="fraction of the shorter side")] = (0.002, 0.004)
    """How thick they are; 1 pixel at least."""
    degrees: Annotated[Range, Uniform(-45, 45, unit="degrees")] = (-15, 15)
    """How far they lean, to the right at their lower end."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (0.4, 0.7)
    """How much of the picture the strongest streaks hide; the others half as much at least."""
    dim: Annotated[Range, Uniform(0, 1, unit="share of the light")] = (0.1, 0.3)
    """What rain clouds take away."""


def rain(
    image: torch.Tensor,
    seed: tuple[int, int],
    drops: int,
    length: float,
    width: float,
    degrees: float,
    opacity: float,
    dim: float,
) -> torch.Tensor:
    size = Size(image.shape[2], image.shape[3])
    shorter = min(size)
    places, heights, lengths, strengths = (numbers(drops, seed, channel) for channel in range(4))
    longest = length * shorter
    lean = math.tan(math.radians(degrees))
    # drops begin above the picture, and beside it where they lean, so that none of it stays dry
    aside = abs(lean) * longest
    shown = streaks(
        size,
        places * (size.width + 2.0 * aside) - aside,
        heights * (size.height + longest) - longest,
        longest * (0.5 + 0.5 * lengths),
        lean,
        max(width * shorter, 1.0),
        opacity * (0.5 + 0.5 * strengths),
    )
    return veiled(image * (1.0 - dim), shown, (0.82, 0.84, 0.88))


OP = Op(
    Rain,
    Whole(rain),
    examples=(
        Rain(drops=(900, 900), length=(0.12, 0.12), width=(0.004, 0.004), degrees=(12, 12), opacity=(0.7, 0.7)),
        Rain(drops=(200, 200), length=(0.2, 0.2), degrees=(-40, -40), dim=(0.5, 0.5)),
    ),
)
