"""zoom_blur: the lens is zoomed while the picture is taken."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch.nn.functional import grid_sample

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform

_AT_ONCE = 1 << 18
"""Pixels: places to read at take more memory than the picture."""


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
    height, width = image.shape[-2:]
    block = max(_AT_ONCE // width, 1)
    parts = []
    for top in range(0, height, block):
        rows, columns = _centres(top, min(top + block, height), height), _centres(0, width, width)
        total = image[:, :, top : top + block].clone()
        for number in range(1, copies + 1):
            zoom = 1.0 + number * step
            down, across = torch.meshgrid(rows / zoom, columns / zoom, indexing="ij")
            grid = torch.stack([across, down], dim=-1)[None].to(image.device, torch.float32)
            total += grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
        parts.append(total / (copies + 1))
    return torch.cat(parts, dim=2)


def _centres(start: int, end: int, side: int) -> torch.Tensor:
    """Where the middles of pixels lie, from -1 at one edge of the picture to 1 at the other."""
    return (torch.arange(start, end, dtype=torch.float64) * 2.0 + 1.0) / side - 1.0


OP = Op(
    ZoomBlur,
    Stencil(zoom_blur),
    examples=(
        ZoomBlur(factor=(1.2, 1.2), step=(0.01, 0.01)),
        ZoomBlur(factor=(1.1, 1.1), step=(0.04, 0.04)),
    ),
)
