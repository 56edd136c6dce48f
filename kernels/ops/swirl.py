"""swirl: stir the picture."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels.bends import from_middle
from kernels.op import Field, Op
from kernels.params import Border, Range, Uniform, Warp
from kernels.tensors import Size


class Swirl(Warp):
    """Turn the picture about a point, most in its middle and not at all from a distance on, as ImageMagick's `-swirl`."""

    op: Literal["swirl"] = "swirl"
    border: Border = "reflect"
    """What is shown outside the picture."""
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-60, 60)
    """Turn of the middle, counter-clockwise; (1 - r)^2 of it at a share r of the radius."""
    radius: Annotated[Range, Uniform(0.05, 2, unit="fraction of the shorter side")] = (0.4, 0.6)
    """Distance at which it ends."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.4, 0.6)
    """The point, from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.4, 0.6)
    """The point, from top (0) to bottom (1)."""


def displacement(size_in: Size, seed: tuple[int, int], degrees: float, radius: float, x: float, y: float) -> torch.Tensor:
    right, down = from_middle(size_in, x, y)
    near = (1.0 - (right * right + down * down).sqrt() / (radius * min(size_in))).clamp_(min=0.0)
    turn = near.square_().mul_(math.radians(degrees))
    sine, cosine = turn.sin(), turn.cos() - 1.0
    return torch.stack([right * cosine - down * sine, right * sine + down * cosine])


OP = Op(
    Swirl,
    Field(displacement),
    examples=(
        Swirl(degrees=(150, 150), radius=(0.6, 0.6), x=(0.5, 0.5), y=(0.5, 0.5)),
        Swirl(degrees=(-90, -90), radius=(1, 1), border="constant"),
    ),
)
