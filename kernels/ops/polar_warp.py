"""polar_warp: lay the picture round a circle."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels.bends import from_middle
from kernels.op import Field, Op
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class PolarWarp(Warp):
    """Bend the picture into an arc: columns become angles and rows distances, as on a fan; `polar_unwarp` is its inverse.

    The middle row keeps its length. Where the picture is so tall that the middle of the circle would lie in it, the arc is
    flatter than asked for. ImageMagick's `-distort Arc`.
    """

    op: Literal["polar_warp"] = "polar_warp"
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (-60, 60)
    """Angle of the arc; above 0 its ends hang down, below 0 they point up."""


def arc_radius(size: Size, degrees: float) -> float:
    """Distance of the middle of the circle below (or above, if negative) that of the picture, in pixels."""
    angle = math.radians(degrees)
    least = 0.7 * size.height
    if abs(angle) < 1e-6:
        return 1e6 * size.width
    return math.copysign(max(size.width / abs(angle), least), angle)


def displacement(size_in: Size, seed: tuple[int, int], degrees: float) -> torch.Tensor:
    x, y = from_middle(size_in)
    radius = arc_radius(size_in, degrees)
    x, y = x.double(), y.double()
    up = abs(radius) - y * math.copysign(1.0, radius)
    across = torch.atan2(x, up) * abs(radius) - x
    down = (abs(radius) - torch.hypot(x, up)) * math.copysign(1.0, radius) - y
    return torch.stack([across, down]).to(torch.float32)


OP = Op(
    PolarWarp,
    Field(displacement),
    examples=(PolarWarp(degrees=(100, 100)), PolarWarp(degrees=(-50, -50), border="reflect")),
)
