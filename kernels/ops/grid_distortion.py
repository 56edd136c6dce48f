"""grid_distortion: stretch some columns and rows, squeeze others."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.bends import Line, centres, uniforms
from kernels.op import Field, Op
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.tensors import Size


class GridDistortion(Params):
    """Divide the picture into columns and rows, and stretch or squeeze each by its own amount.

    Level and upright lines stay so. The frame stays where it is, as Albumentations' does with `normalized`.
    """

    op: Literal["grid_distortion"] = "grid_distortion"
    steps: Annotated[IntegerRange, Integer(2, 64, unit="cells along each side")] = (5, 5)
    """How many columns, and how many rows."""
    limit: Annotated[Range, Uniform(0, 0.8, unit="fraction of a cell")] = (0.1, 0.4)
    """How much wider or narrower a cell may get, before all of them are brought to the picture's side."""


def displacement(size_in: Size, seed: tuple[int, int], steps: int, limit: float) -> torch.Tensor:
    height, width = size_in
    across, down = (_shifts(side, steps, limit, seed, channel) for channel, side in ((0, width), (1, height)))
    row, column = torch.from_numpy(across)[None, :], torch.from_numpy(down)[:, None]
    return torch.stack([row.expand(height, width), column.expand(height, width)])


def _shifts(side: int, steps: int, limit: float, seed: tuple[int, int], channel: int) -> Line:
    """(side,) float32: how far from itself each pixel reads along one axis."""
    lengths = 1.0 + limit * (2.0 * uniforms(1, steps, seed, channel)[0] - 1.0)
    edges = np.concatenate([[0.0], np.cumsum(lengths)]) * (side / lengths.sum())
    found: Line = (np.interp(centres(side), np.linspace(0.0, side, steps + 1), edges) - centres(side)).astype(np.float32)
    return found


OP = Op(
    GridDistortion,
    Field(displacement),
    examples=(GridDistortion(limit=(0.7, 0.7)), GridDistortion(steps=(9, 9), limit=(0.4, 0.4))),
)
