"""grid_elastic_deform: pull at the crossings of a grid."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.bends import bilinear, unfolded, uniforms
from kernels.op import Field, Op
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.tensors import Size


class GridElasticDeform(Params):
    """Lay a grid over the picture and move each of its inner crossings by a random amount; between them all is stretched.

    The frame stays. It is weakened, where need be, so that nothing folds over itself.
    """

    op: Literal["grid_elastic_deform"] = "grid_elastic_deform"
    steps: Annotated[IntegerRange, Integer(2, 64, unit="cells along each side")] = (4, 8)
    """How many columns, and how many rows."""
    magnitude: Annotated[Range, Uniform(0, 0.5, unit="fraction of a cell")] = (0.1, 0.3)
    """How far a crossing is moved at most, along each axis."""


def displacement(size_in: Size, seed: tuple[int, int], steps: int, magnitude: float) -> torch.Tensor:
    pulled = []
    for channel, side in ((0, size_in.width), (1, size_in.height)):
        knots = np.zeros((steps + 1, steps + 1))
        knots[1:-1, 1:-1] = (2.0 * uniforms(steps - 1, steps - 1, seed, channel) - 1.0) * magnitude * side / steps
        pulled.append(knots)
    return unfolded(bilinear(pulled[0], pulled[1], size_in))


OP = Op(
    GridElasticDeform,
    Field(displacement),
    examples=(
        GridElasticDeform(steps=(3, 3), magnitude=(0.5, 0.5)),
        GridElasticDeform(steps=(10, 10), magnitude=(0.5, 0.5)),
    ),
)
