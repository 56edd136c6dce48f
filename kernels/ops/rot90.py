"""rot90: quarter turns."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import turned_about_centres
from kernels.op import Matrix, Op, Places
from kernels.params import Integer, IntegerRange, Params
from kernels.tensors import Size


class Rot90(Params):
    """Turn the picture counter-clockwise by quarter turns; a wide picture becomes a tall one. Exact."""

    op: Literal["rot90"] = "rot90"
    turns: Annotated[IntegerRange, Integer(0, 3, unit="quarter turns, counter-clockwise")] = (0, 3)
    """How many."""


def matrix(size_in: Size, turns: int) -> Matrix:
    return turned_about_centres(90.0 * turns, size_in, canvas(size_in, turns))


def canvas(size_in: Size, turns: int) -> Size:
    return Size(size_in.width, size_in.height) if turns % 2 else size_in


OP = Op(Rot90, Places(matrix, canvas), examples=(Rot90(turns=(1, 1)), Rot90(turns=(2, 2))))
