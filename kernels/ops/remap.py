"""remap: a bend of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field as Limits
from pydantic import model_validator

from kernels.bends import bilinear, unfolded
from kernels.op import Field, Op
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size

_Shift = Annotated[float, Limits(ge=-1, le=1)]
_Row = Annotated[tuple[_Shift, ...], Limits(min_length=2, max_length=64)]
Grid = Annotated[tuple[_Row, ...], Limits(min_length=2, max_length=64)]


class Remap(Warp):
    """Read the picture at places shifted by a grid of one's own, the same for all pictures; between its points evenly.

    The grid reaches from edge to edge: rows of numbers, 2 to 64 of each. It is weakened, where need be, so that nothing
    folds over itself.
    """

    op: Literal["remap"] = "remap"
    across: Grid
    """How far to the right of itself each point of the grid reads, in fractions of the width."""
    down: Grid
    """How far below itself, in fractions of the height: as many rows and columns."""
    strength: Annotated[Range, Uniform(-1, 1, unit="times")] = (1.0, 1.0)
    """What the grid is multiplied by."""

    @model_validator(mode="after")
    def _agree(self) -> Remap:
        lengths = {len(row) for grid in (self.across, self.down) for row in grid}
        if len(lengths) > 1 or len(self.across) != len(self.down):
            raise ValueError("across and down must have the same number of rows, and all rows the same length")
        return self


def displacement(size_in: Size, seed: tuple[int, int], across: Grid, down: Grid, strength: float) -> torch.Tensor:
    right, below = (np.array(grid) * (strength * side) for grid, side in ((across, size_in.width), (down, size_in.height)))
    return unfolded(bilinear(right, below, size_in))


OP = Op(
    Remap,
    Field(displacement),
    examples=(
        Remap(
            across=((0, 0.05, 0, -0.05, 0), (0, -0.05, 0, 0.05, 0), (0, 0.05, 0, -0.05, 0)),
            down=((0, 0.1, 0, 0.1, 0), (0, 0, 0, 0, 0), (0, -0.1, 0, -0.1, 0)),
        ),
        Remap(across=((0.1, -0.1), (-0.1, 0.1)), down=((0, 0), (0, 0)), strength=(-1, -1), border="reflect"),
    ),
)
