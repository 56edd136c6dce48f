"""sun_flare: the sun shines into the lens."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels import words
from kernels.op import Op, Whole
from kernels.params import Color, Integer, IntegerRange, Params, Range, Uniform


class SunFlare(Params):
    """Lay a glowing sun over the picture, and faint discs in a row that leads away from it.

    As Albumentations' RandomSunFlare; radii are shares of the picture's side, not pixels.
    """

    op: Literal["sun_flare"] = "sun_flare"
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.0, 1.0)
    """Middle of the sun, from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.0, 0.5)
    """Middle of the sun, from top (0) to bottom (1)."""
    radius: Annotated[Range, Uniform(0.01, 2, unit="fraction of the shorter side")] = (0.3, 0.7)
    """How far the glow reaches."""
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (-180.0, 180.0)
    """Where the row leads, counter-clockwise: 0 is to the right."""
    circles: Annotated[IntegerRange, Integer(0, 20, unit="discs")] = (6, 10)
    """How many discs there are; their places in the row, sizes and strengths are drawn for each."""
    intensity: Annotated[Range, Uniform(0, 1, unit="share of the sun")] = (0.5, 1.0)
    """How much of the middle of the sun is sun."""
    color: Color = (1.0, 1.0, 1.0)
    """Colour of the sun and of the discs."""


def sun_flare(
    image: torch.Tensor,
    seed: words.NoiseSeed,
    across: float,
    down: float,
    radius: float,
    degrees: float,
    circles: int,
    intensity: float,
    color: tuple[float, float, float],
) -> torch.Tensor:
    height, width = image.shape[-2:]
    x = torch.arange(width, device=image.device) + 0.5
    y = torch.arange(height, device=image.device)[:, None] + 0.5
    paint = image.new_tensor(color).view(1, 3, 1, 1)
    far = radius * min(height, width)
    right, below = across * width, down * height
    glow = (1.0 - torch.hypot(x - right, y - below) / far).clamp_(min=0.0)
    result = torch.lerp(image, paint, intensity * glow * glow)
    for place, size, strength in discs(circles, seed):
        away = place * max(height, width)
        middle = right + away * math.cos(math.radians(degrees)), below - away * math.sin(math.radians(degrees))
        reach = (0.03 + 0.17 * size) * far
        disc = (reach + 0.5 - torch.hypot(x - middle[0], y - middle[1])).clamp_(0.0, 1.0)
        result = torch.lerp(result, paint, intensity * (0.05 + 0.2 * strength) * disc)
    return result


def discs(count: int, seed: words.NoiseSeed) -> list[tuple[float, float, float]]:
    """Three numbers of (0, 1) for each of so many discs."""
    drawn = [torch.as_tensor(words.TORCH["uniform"](torch.arange(count), seed, channel)).tolist() for channel in range(3)]
    return list(zip(*drawn, strict=True))


OP = Op(
    SunFlare,
    Whole(sun_flare),
    examples=(
        SunFlare(
            across=(0.2, 0.2),
            down=(0.2, 0.2),
            radius=(0.7, 0.7),
            degrees=(-40.0, -40.0),
            circles=(9, 9),
            intensity=(1.0, 1.0),
        ),
        SunFlare(
            across=(0.8, 0.8),
            down=(0.1, 0.1),
            radius=(0.4, 0.4),
            degrees=(-150.0, -150.0),
            circles=(6, 6),
            intensity=(0.7, 0.7),
            color=(1.0, 0.9, 0.6),
        ),
    ),
)
