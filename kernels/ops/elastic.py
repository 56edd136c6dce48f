"""elastic: bend the picture softly, like a print on rubber."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from kornia.filters import gaussian_blur2d
from torch.nn import functional

from kernels import words
from kernels.op import Field, Op
from kernels.params import Border, Range, Uniform, Warp
from kernels.tensors import Size

_MOST_BEND = 0.6
"""Largest change of the displacement from one pixel to the next: below 1 the picture cannot fold over itself."""
_CELLS_A_SIGMA = 3.0
"""The field is smooth at the scale of sigma, so it is made on a grid of this many cells to one sigma."""


class Elastic(Warp):
    """Bend the picture by a smooth random field. It is weakened, where need be, so that nothing folds over itself."""

    op: Literal["elastic"] = "elastic"
    border: Border = "reflect"
    """What is shown outside the picture."""
    alpha: Annotated[Range, Uniform(0, 0.25, unit="fraction of the shorter side")] = (0.01, 0.04)
    """Largest displacement."""
    sigma: Annotated[Range, Uniform(0.02, 0.5, unit="fraction of the shorter side")] = (0.06, 0.12)
    """Smoothness of the field: the larger, the wider its waves."""


def displacement(size_in: Size, seed: tuple[int, int], alpha: float, sigma: float) -> torch.Tensor:
    """Smoothed noise (2, H, W), stretched so that its longest vector is alpha of the shorter side."""
    shorter = min(size_in)
    cell = max(sigma * shorter / _CELLS_A_SIGMA, 1.0)
    cells = (math.ceil(size_in.height / cell) + 3, math.ceil(size_in.width / cell) + 3)
    spread = max(sigma * shorter / cell, 1e-3)
    reach = math.ceil(3.0 * spread)
    rows, columns = cells[0] + 2 * reach, cells[1] + 2 * reach
    places = torch.arange(rows * columns).view(rows, columns)
    normal = words.TORCH["normal"]
    noise = torch.stack([torch.as_tensor(normal(places, seed, channel)) for channel in (0, 1)])[None]
    side = 2 * reach + 1
    smooth = gaussian_blur2d(noise, (side, side), (spread, spread), border_type="constant")
    coarse = smooth[:, :, reach : reach + cells[0], reach : reach + cells[1]]
    # pixel p lies at p / cell + 1 of the grid, whose own centres are at + 0.5: one cell is left over on every side
    x = (torch.arange(size_in.width, dtype=torch.float32) + 0.5) / cell + 1.0
    y = (torch.arange(size_in.height, dtype=torch.float32) + 0.5) / cell + 1.0
    grid = torch.empty((*size_in, 2), dtype=torch.float32)
    grid[..., 0], grid[..., 1] = x * (2.0 / cells[1]) - 1.0, (y * (2.0 / cells[0]) - 1.0)[:, None]
    field = functional.grid_sample(coarse, grid[None], "bicubic", "border", align_corners=False)[0]
    longest = float((field[0] * field[0] + field[1] * field[1]).max())
    field *= alpha * shorter / math.sqrt(longest) if longest > 0.0 else 0.0
    return field * min(1.0, _MOST_BEND / max(_bend(field), 1e-9))


def _bend(field: torch.Tensor) -> float:
    """An upper bound of how much the displacement changes between neighbouring pixels."""
    steps = [field.diff(dim=dim) for dim in (1, 2) if field.shape[dim] > 1]
    return math.hypot(*(math.sqrt(float((step * step).sum(dim=0).max())) for step in steps)) if steps else 0.0


OP = Op(
    Elastic,
    Field(displacement),
    examples=(
        Elastic(alpha=(0.1, 0.1), sigma=(0.15, 0.15)),
        Elastic(alpha=(0.1, 0.1), sigma=(0.3, 0.3), border="constant"),
    ),
)
