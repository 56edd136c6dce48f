"""chromatic_aberration: coloured edges, as cheap lenses make them."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.bends import from_middle
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size

_K = Uniform(-0.2, 0.2, unit="of r^2, in half diagonals")


class ChromaticAberration(Params):
    """Distort red and blue each by a lens of its own, green not at all: edges get coloured fringes, wider to the corners.

    A point at distance r from the middle, in half diagonals, shows what the channel has at r (1 + k r^2).
    """

    op: Literal["chromatic_aberration"] = "chromatic_aberration"
    red: Annotated[Range, _K] = (-0.02, 0.02)
    """k of the red channel."""
    blue: Annotated[Range, _K] = (-0.02, 0.02)
    """k of the blue channel."""


def chromatic_aberration(image: torch.Tensor, red: float, blue: float) -> torch.Tensor:
    height, width = image.shape[2:]
    x, y = (place.to(image.device) for place in from_middle(Size(height, width)))
    bulge = (x * x + y * y) * (4.0 / (width**2 + height**2))
    planes = [_read(image[:, :1], x, y, bulge * red), image[:, 1:2], _read(image[:, 2:], x, y, bulge * blue)]
    return torch.cat(planes, dim=1)


def _read(plane: torch.Tensor, x: torch.Tensor, y: torch.Tensor, bulge: torch.Tensor) -> torch.Tensor:
    """A channel read at 1 + bulge times the distance from the middle; outside are its edge pixels."""
    height, width = plane.shape[2:]
    stretch = 1.0 + bulge
    grid = torch.stack([x * stretch * (2.0 / width), y * stretch * (2.0 / height)], dim=-1)
    return torch.nn.functional.grid_sample(plane, grid[None], "bilinear", "border", align_corners=False)


OP = Op(
    ChromaticAberration,
    Whole(chromatic_aberration),
    examples=(
        ChromaticAberration(red=(-0.05, -0.05), blue=(0.05, 0.05)),
        ChromaticAberration(red=(0.1, 0.1), blue=(0.02, 0.02)),
    ),
)
