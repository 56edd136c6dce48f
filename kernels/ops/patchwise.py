"""patchwise: steps on patches of the picture, each as a picture of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.op import Op, Piece, Region, Within
from kernels.ops.equalize import Equalize
from kernels.ops.hue import Hue
from kernels.ops.invert import Invert
from kernels.params import Group, Params
from kernels.tensors import Size

Count = Annotated[int, Field(ge=1, le=32, strict=True)]


class Patchwise(Group):
    """Cut the picture into a grid of patches, carry out the steps inside on each, and put them together again.

    Each patch is a picture of its own: statistics, neighbourhoods and places end at its edges. Each has draws of its own,
    and then the steps of every patch count toward those that a recipe may have. They may not move pixels.
    """

    op: Literal["patchwise"] = "patchwise"
    grid: tuple[Count, Count] = (4, 4)
    """Patches below and beside each other, [rows, columns]; as even as whole pixels let them be."""
    same: Annotated[bool, Field(strict=True)] = False
    """Whether all patches get the same draws."""

    def children(self) -> tuple[Params, ...]:
        return self.steps if self.same else self.steps * (self.grid[0] * self.grid[1])


def pieces(size_in: Size, grid: tuple[int, int]) -> list[Piece]:
    rows, columns = (
        [side * place // count for place in range(count + 1)] for side, count in zip(size_in, grid, strict=True)
    )
    return [
        Piece(Region(columns[column], rows[row], columns[column + 1], rows[row + 1]))
        for row in range(grid[0])
        for column in range(grid[1])
    ]


OP = Op(
    Patchwise,
    Within(pieces),
    examples=(
        Patchwise(steps=(Hue(turn=(-0.5, 0.5)), Invert(chance=0.3)), grid=(3, 4)),
        Patchwise(steps=(Equalize(),), grid=(2, 2), same=True),
    ),
)
