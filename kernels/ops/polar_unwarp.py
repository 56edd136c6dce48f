"""polar_unwarp: straighten what lies round a circle."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.bends import from_middle
from kernels.op import Field, Op
from kernels.ops.polar_warp import arc_radius
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class PolarUnwarp(Warp):
    """Straighten an arc of the picture: angles become columns and distances rows; the inverse of `polar_warp`.

    ImageMagick's `-distort DePolar`, for the part of a ring that the picture shows.
    """

    op: Literal["polar_unwarp"] = "polar_unwarp"
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (-60, 60)
    """Angle of the arc; above 0 its ends hang down, below 0 they point up."""


def displacement(size_in: Size, seed: tuple[int, int], degrees: float) -> torch.Tensor:
    x, y = from_middle(size_in)
    radius = arc_radius(size_in, degrees)
    x, y = x.double(), y.double()
    distance, angle = radius - y, x / radius
    # 2 sin^2(a / 2) is 1 - cos(a) without what large numbers lose of small ones
    across = distance * angle.sin() - x
    down = 2.0 * distance * (angle / 2).sin().square()
    return torch.stack([across, down]).to(torch.float32)


OP = Op(
    PolarUnwarp,
    Field(displacement),
    examples=(PolarUnwarp(degrees=(90, 90)), PolarUnwarp(degrees=(-60, -60), border="replicate")),
)
