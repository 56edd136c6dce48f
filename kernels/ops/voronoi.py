"""voronoi: a mosaic of stones."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.segments import averaged, voronoi
from kernels.tables import levels
from kernels.words import NoiseSeed


class Voronoi(Params):
    """Divide the picture into the parts that are nearest to one of many points, and give some their mean colour.

    The points are one in each cell of a grid, anywhere in it.
    """

    op: Literal["voronoi"] = "voronoi"
    cells: Annotated[IntegerRange, Integer(1, 128, unit="cells along the shorter side")] = (10, 30)
    """How many cells the grid has."""
    replace: Annotated[Range, Uniform(0, 1, unit="share of the parts")] = (0.3, 1.0)
    """Probability of each part to be given one colour."""


def replaced(image: torch.Tensor, seed: NoiseSeed, cells: int, replace: float) -> torch.Tensor:
    pixels = levels(image[0]).permute(1, 2, 0).contiguous().cpu().numpy()
    # no more cells than pixels: a cell is a pixel wide at least
    height, width = pixels.shape[:2]
    owner = voronoi(height, width, min(cells, height, width), seed)
    return averaged(pixels, owner, replace, seed).to(image.device)


OP = Op(
    Voronoi,
    Whole(replaced),
    examples=(Voronoi(cells=(16, 16), replace=(1.0, 1.0)), Voronoi(cells=(8, 8), replace=(0.5, 0.5))),
)
