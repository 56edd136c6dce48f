"""zoom_blur: the lens is zoomed while the picture is taken."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform


class ZoomBlur(Params):
    """The mean of the picture and copies of it, each enlarged a little more about the middle."""

    op: Literal["zoom_blur"] = "zoom_blur"
    factor: Annotated[Range, Uniform(1, 1.3, unit="times")] = (1.05, 1.2)
    """How much the last copy may be enlarged."""
    step: Annotated[Range, Uniform(0.01, 0.1, unit="times")] = (0.01, 0.03)
    """How much more each copy is enlarged than the one before."""


def zoom_blur(image: torch.Tensor, factor: float, step: float) -> torch.Tensor:
    # a hair more, so that a whole number of steps reaches the factor
    copies = math.floor((factor - 1.0) / step + 1e-6)
    total = image.clone()
    for number in range(1, copies + 1):
        total += enlarged(image, 1.0 + number * step)
    return total / (copies + 1)


def enlarged(image: torch.Tensor, factor: float) -> torch.Tensor:
    """The middle of (1, C, H, W) as large as the whole, read between pixels."""
    return _along(_along(image, factor, -2), factor, -1)


def _along(image: torch.Tensor, factor: float, dim: int) -> torch.Tensor:
    side = image.shape[dim]
    place = (torch.arange(side, dtype=torch.float64) + 0.5 - 0.5 * side) / factor + 0.5 * side - 0.5
    first = place.floor().clamp(0, max(side - 2, 0))
    shape = [1, 1, 1, 1]
    shape[dim] = side
    share = (place - first).clamp(0, 1).to(torch.float32).view(shape).to(image.device)
    before = first.to(torch.int64).to(image.device)
    after = (before + 1).clamp(max=side - 1)
    return torch.lerp(image.index_select(dim, before), image.index_select(dim, after), share)


OP = Op(
    ZoomBlur,
    Stencil(zoom_blur),
    examples=(
        ZoomBlur(factor=(1.2, 1.2), step=(0.01, 0.01)),
        ZoomBlur(factor=(1.1, 1.1), step=(0.04, 0.04)),
    ),
)
