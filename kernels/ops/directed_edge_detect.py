"""directed_edge_detect: edges that are lit from one side."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import filtered

_ACROSS = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4.0


class DirectedEdgeDetect(Params):
    """Mix the picture with how much it brightens in one direction, channel by channel; where it darkens is black.

    imgaug's has another kernel of the same purpose; here it is Sobel's derivative along the direction. Outside the
    picture is its mirror image.
    """

    op: Literal["directed_edge_detect"] = "directed_edge_detect"
    alpha: Annotated[Range, Uniform(0, 1, unit="share of the edges")] = (0.3, 0.8)
    """Their share in the mixture."""
    degrees: Annotated[Range, Uniform(-180, 180, unit="degrees")] = (-180.0, 180.0)
    """The direction, counter-clockwise: 0 is to the right."""


def directed_edge_detect(image: torch.Tensor, alpha: float, degrees: float) -> torch.Tensor:
    right, up = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    slope = filtered(image, (right * _ACROSS - up * _ACROSS.T).astype(np.float32))
    return torch.lerp(image, slope.clamp_(0.0, 1.0), alpha)


OP = Op(
    DirectedEdgeDetect,
    Stencil(directed_edge_detect),
    examples=(
        DirectedEdgeDetect(alpha=(1.0, 1.0), degrees=(45.0, 45.0)),
        DirectedEdgeDetect(alpha=(0.5, 0.5), degrees=(-120.0, -120.0)),
    ),
)
