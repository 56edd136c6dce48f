"""remap: a bend of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BeforeValidator, field_validator
from pydantic import Field as Limits

from kernels.bends import bilinear, unfolded
from kernels.op import Field, Op
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size

_Shift = Annotated[float, Limits(ge=-1, le=1, strict=True)]
_MOST = 64


def _short(value: object) -> object:
    """What is too long is refused before its items are looked at, a million of which would take half a minute."""
    if isinstance(value, list | tuple) and len(value) > _MOST:
        raise ValueError(f"has {len(value)} items; at most {_MOST} are allowed")
    return value


_Point = Annotated[tuple[_Shift, _Shift], BeforeValidator(_short)]
_Row = Annotated[tuple[_Point, ...], Limits(min_length=2, max_length=_MOST), BeforeValidator(_short)]
Grid = Annotated[tuple[_Row, ...], Limits(min_length=2, max_length=_MOST), BeforeValidator(_short)]


class Remap(Warp):
    """Read the picture at places shifted by a grid of one's own, the same for all pictures; between its points evenly.

    It is weakened, where need be, so that nothing folds over itself.
    """

    op: Literal["remap"] = "remap"
    grid: Grid
    """Rows of points, from edge to edge, 2 to 64 of each: [how far to the right of itself, how far below itself] each
    reads, in fractions of the width and of the height."""
    strength: Annotated[Range, Uniform(-1, 1, unit="times")] = (1.0, 1.0)
    """What the grid is multiplied by."""

    @field_validator("grid")
    @classmethod
    def _is_even(cls, grid: Grid) -> Grid:
        if len({len(row) for row in grid}) > 1:
            raise ValueError("all rows must have the same number of points")
        return grid


def displacement(size_in: Size, seed: tuple[int, int], grid: Grid, strength: float) -> torch.Tensor:
    shifts = np.array(grid) * strength
    return unfolded(bilinear(shifts[..., 0] * size_in.width, shifts[..., 1] * size_in.height, size_in))


OP = Op(
    Remap,
    Field(displacement),
    examples=(
        Remap(
            grid=(
                ((0, 0), (0.05, 0.1), (0, 0), (-0.05, 0.1), (0, 0)),
                ((0, 0), (-0.05, 0), (0, 0), (0.05, 0), (0, 0)),
                ((0, 0), (0.05, -0.1), (0, 0), (-0.05, -0.1), (0, 0)),
            )
        ),
        Remap(grid=(((0.1, 0), (-0.1, 0)), ((-0.1, 0), (0.1, 0))), strength=(-1, -1), border="reflect"),
    ),
)
