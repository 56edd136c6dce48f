"""lens_flare: a lamp mirrored within the lens."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels import words
from kernels.op import Op, Whole
from kernels.ops.sun_flare import discs
from kernels.params import Integer, IntegerRange, Params, Range, Uniform


class LensFlare(Params):
    """Add a lamp's light: a level streak through it, and coloured discs on the line through the picture's middle.

    Light is added as two slides on one screen: what both leave dark stays dark.
    """

    op: Literal["lens_flare"] = "lens_flare"
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.1, 0.9)
    """The lamp, from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.1, 0.5)
    """The lamp, from top (0) to bottom (1)."""
    intensity: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.3, 0.8)
    """Brightness of the lamp."""
    ghosts: Annotated[IntegerRange, Integer(0, 16, unit="discs")] = (3, 7)
    """How many discs there are; their places on the line, sizes and colours are drawn for each."""
    streak: Annotated[Range, Uniform(0, 1, unit="times the lamp")] = (0.2, 0.8)
    """Brightness of the streak."""


def lens_flare(
    image: torch.Tensor,
    seed: words.NoiseSeed,
    across: float,
    down: float,
    intensity: float,
    ghosts: int,
    streak: float,
) -> torch.Tensor:
    height, width = image.shape[-2:]
    x = torch.arange(width, device=image.device) + 0.5
    y = torch.arange(height, device=image.device)[:, None] + 0.5
    right, below, shorter = across * width, down * height, min(height, width)
    spot = 1.0 / (1.0 + (torch.hypot(x - right, y - below) / (0.06 * shorter)).square_())
    line = 1.0 / (1.0 + ((y - below) / (0.01 * shorter)).square() + ((x - right) / (0.5 * width)).square())
    dark = (1.0 - image) * (1.0 - intensity * spot) * (1.0 - intensity * streak * line)
    for place, size, hue in discs(ghosts, seed):
        along = 0.4 + 1.8 * place
        middle = right + along * (0.5 * width - right), below + along * (0.5 * height - below)
        reach = (0.02 + 0.13 * size) * shorter
        disc = (reach + 0.5 - torch.hypot(x - middle[0], y - middle[1])).clamp_(0.0, 1.0)
        # a rainbow: three waves a third of a turn apart
        paint = [0.5 + 0.5 * math.cos(math.tau * (hue + channel / 3.0)) for channel in range(3)]
        dark = dark * (1.0 - 0.4 * intensity * image.new_tensor(paint).view(1, 3, 1, 1) * disc)
    return 1.0 - dark


OP = Op(
    LensFlare,
    Whole(lens_flare),
    examples=(
        LensFlare(across=(0.2, 0.2), down=(0.25, 0.25), intensity=(1.0, 1.0), ghosts=(8, 8), streak=(0.8, 0.8)),
        LensFlare(across=(0.7, 0.7), down=(0.3, 0.3), intensity=(0.6, 0.6), ghosts=(4, 4), streak=(0.2, 0.2)),
    ),
)
