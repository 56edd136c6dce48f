"""motion_blur: the camera, or what it looks at, moves."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.point_spreads import motion
from kernels.stencils import filtered


class MotionBlur(Params):
    """Spread every point along a line. Outside the picture is its mirror image."""

    op: Literal["motion_blur"] = "motion_blur"
    size: Annotated[IntegerRange, Integer(3, 127, unit="pixels")] = (5, 21)
    """Length of the line; an even one is taken one pixel longer."""
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (-180.0, 180.0)
    """How the line is turned, counter-clockwise; 0 is level."""
    direction: Annotated[Range, Uniform(-1, 1, unit="towards one end")] = (-0.5, 0.5)
    """Whether the points fade towards an end: 0 spreads them evenly."""


def motion_blur(image: torch.Tensor, size: int, degrees: float, direction: float) -> torch.Tensor:
    return filtered(image, motion(size + 1 - size % 2, degrees, direction))


OP = Op(
    MotionBlur,
    Stencil(motion_blur),
    examples=(
        MotionBlur(size=(21, 21), degrees=(30.0, 30.0), direction=(0.0, 0.0)),
        MotionBlur(size=(9, 9), degrees=(-60.0, -60.0), direction=(0.8, 0.8)),
    ),
)
