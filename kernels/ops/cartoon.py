"""cartoon: even patches, bright colours, black outlines."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.colors import luma
from kernels.op import Op, Stencil
from kernels.ops.adaptive_threshold import adaptive_threshold
from kernels.ops.mean_shift_blur import mean_shift_blur
from kernels.params import Integer, IntegerRange, Params, Range, Uniform


class Cartoon(Params):
    """Even out colours (`mean_shift_blur`), make them stronger, and draw black where `adaptive_threshold` is black."""

    op: Literal["cartoon"] = "cartoon"
    reach: Annotated[IntegerRange, Integer(1, 5, unit="pixels")] = (3, 5)
    """How far along each side pixels may be to be evened out."""
    color: Annotated[Range, Uniform(0.01, 1, unit="fraction of full brightness")] = (0.1, 0.25)
    """How far their colours may be."""
    saturation: Annotated[Range, Uniform(0, 10, unit="times")] = (1.2, 2.0)
    """What the distance of colours to their grey is multiplied by."""
    outline: Annotated[IntegerRange, Integer(3, 127, unit="pixels")] = (7, 13)
    """Window of the threshold: the larger, the thicker the lines."""
    offset: Annotated[Range, Uniform(0, 0.5, unit="fraction of full brightness")] = (0.04, 0.08)
    """How far below its surroundings a line is: the larger, the fewer lines."""


def cartoon(image: torch.Tensor, reach: int, color: float, saturation: float, outline: int, offset: float) -> torch.Tensor:
    even = mean_shift_blur(image, reach, color)
    grey = luma(even[:, 0:1], even[:, 1:2], even[:, 2:3])
    strong = (grey + saturation * (even - grey)).clamp_(0.0, 1.0)
    return strong * adaptive_threshold(image, outline, offset, "box")


OP = Op(
    Cartoon,
    Stencil(cartoon),
    examples=(
        Cartoon(reach=(5, 5), color=(0.25, 0.25), saturation=(1.6, 1.6), outline=(9, 9), offset=(0.05, 0.05)),
        Cartoon(reach=(3, 3), color=(0.1, 0.1), saturation=(2.0, 2.0), outline=(15, 15), offset=(0.1, 0.1)),
    ),
)
