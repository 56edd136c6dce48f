"""elastic: bend the picture softly, like a print on rubber."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from kornia.filters import gaussian_blur2d

from kernels import words
from kernels.bends import MOST_BEND, bend
from kernels.op import Field, Op
from kernels.params import Border, Range, Uniform, Warp
from kernels.tensors import Size

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
    field = _enlarged(_smooth_noise(size_in, seed, sigma * shorter, cell), size_in, cell)
    longest = float((field[0] * field[0]).addcmul_(field[1], field[1]).max())
    scale = alpha * shorter / math.sqrt(longest) if longest > 0.0 else 0.0
    return field.mul_(min(scale, MOST_BEND / max(bend(field, max(int(cell / 2), 1)), 1e-9)))


def _smooth_noise(size_in: Size, seed: tuple[int, int], sigma: float, cell: float) -> torch.Tensor:
    """Normal noise (1, 2, rows, columns) on cells of `cell` pixels, blurred by sigma pixels, with cells to spare."""
    spread = sigma / cell
    reach = math.ceil(3.0 * spread)
    rows, columns = (math.ceil(side / cell) + 4 + 2 * reach for side in size_in)
    places = torch.arange(rows * columns).view(rows, columns)
    normal = words.TORCH["normal"]
    noise = torch.stack([torch.as_tensor(normal(places, seed, channel)) for channel in (0, 1)])[None]
    side = 2 * reach + 1
    blurred: torch.Tensor = gaussian_blur2d(noise, (side, side), (spread, spread), border_type="constant")
    return blurred[:, :, reach : rows - reach, reach : columns - reach]


def _enlarged(coarse: torch.Tensor, size_in: Size, cell: float) -> torch.Tensor:
    """The pixels' field (2, H, W) from the cells', by cubic B-splines: smooth, and no value beyond its neighbours'."""
    rows, columns = (_spline(side, cells, cell) for side, cells in zip(size_in, coarse.shape[2:], strict=True))
    return torch.matmul(torch.matmul(rows, coarse[0]), columns.T)


def _spline(side: int, cells: int, cell: float) -> torch.Tensor:
    """(side, cells): each pixel's value as a mean of the four cells around it. Pixel 0 lies between cells 1 and 2."""
    place = (torch.arange(side, dtype=torch.float64) + 0.5) / cell + 1.0
    first = place.floor()
    t = place - first
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    matrix = torch.zeros((side, cells))
    for number, weight in enumerate(weights):
        matrix[torch.arange(side), first.to(torch.int64) - 1 + number] = (weight / 6).to(torch.float32)
    return matrix


OP = Op(
    Elastic,
    Field(displacement),
    examples=(
        Elastic(alpha=(0.1, 0.1), sigma=(0.15, 0.15)),
        Elastic(alpha=(0.1, 0.1), sigma=(0.3, 0.3), border="constant"),
    ),
)
