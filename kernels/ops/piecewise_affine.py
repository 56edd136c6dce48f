"""piecewise_affine: triangles, each moved by a matrix of its own."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.bends import centres, normals, unfolded
from kernels.op import Field, Op
from kernels.params import Border, Integer, IntegerRange, Range, Uniform, Warp
from kernels.tensors import Size


class PiecewiseAffine(Warp):
    """Spread points over the picture, move each a little, and move the triangles between them along, as flat facets.

    It is weakened, where need be, so that nothing folds over itself.
    """

    op: Literal["piecewise_affine"] = "piecewise_affine"
    border: Border = "replicate"
    """What is shown outside the picture."""
    points: Annotated[IntegerRange, Integer(2, 32, unit="points along each side")] = (4, 4)
    """How many there are, from edge to edge."""
    scale: Annotated[Range, Uniform(0, 0.2, unit="fraction of the sides")] = (0.02, 0.05)
    """Standard deviation of how far they are moved, along each axis."""


def displacement(size_in: Size, seed: tuple[int, int], points: int, scale: float) -> torch.Tensor:
    moved = [
        scale * side * normals(points, points, seed, channel) for channel, side in ((0, size_in.width), (1, size_in.height))
    ]
    y, x = (centres(side) / side * (points - 1) for side in size_in)
    top, left = (np.minimum(place.astype(np.int64), points - 2) for place in (y, x))
    below, right = (y - top).astype(np.float32)[:, None], (x - left).astype(np.float32)[None, :]
    # each cell is two triangles, above and below the diagonal that falls to its right
    upper = right >= below
    field = torch.empty((2, *size_in))
    for plane, knots in zip(field, moved, strict=True):
        a, b, c, d = (
            knots.astype(np.float32)[np.ix_(top + row, left + column)] for row, column in ((0, 0), (0, 1), (1, 0), (1, 1))
        )
        plane.copy_(
            torch.from_numpy(a + np.where(upper, (b - a) * right + (d - b) * below, (d - c) * right + (c - a) * below))
        )
    return unfolded(field)


OP = Op(
    PiecewiseAffine,
    Field(displacement),
    examples=(
        PiecewiseAffine(points=(5, 5), scale=(0.04, 0.04)),
        PiecewiseAffine(points=(3, 3), scale=(0.1, 0.1), border="constant"),
    ),
)
