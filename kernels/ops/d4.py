"""d4: one of the eight symmetries of the square."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import linear, product, translation
from kernels.op import Matrix, Op, Places
from kernels.params import Choice, Names, Params
from kernels.tensors import Size

_MAPS = {
    "e": linear(1.0, 0.0, 0.0, 1.0),
    "r90": linear(0.0, 1.0, -1.0, 0.0),
    "r180": linear(-1.0, 0.0, 0.0, -1.0),
    "r270": linear(0.0, -1.0, 1.0, 0.0),
    "h": linear(-1.0, 0.0, 0.0, 1.0),
    "v": linear(1.0, 0.0, 0.0, -1.0),
    "t": linear(0.0, 1.0, 1.0, 0.0),
    "hvt": linear(0.0, -1.0, -1.0, 0.0),
}


class D4(Params):
    """Turn by a quarter, mirror, or both: one of the eight ways to lay a square onto itself (the group D4). Exact.

    For pictures without an up or down, as from a microscope or from above.
    """

    op: Literal["d4"] = "d4"
    element: Annotated[Names, Choice(tuple(_MAPS))] = tuple(_MAPS)
    """e leaves the picture; r90, r180, r270 turn it counter-clockwise; h mirrors left and right, v top and bottom, t in the
    falling diagonal, hvt in the rising one."""


def matrix(size_in: Size, element: str) -> Matrix:
    moved = _MAPS[element]
    size = canvas(size_in, element)
    # what went below 0 comes back by a side
    right = size.width if moved[0] + moved[1] < 0.0 else 0.0
    down = size.height if moved[3] + moved[4] < 0.0 else 0.0
    return product(translation(right, down), moved)


def canvas(size_in: Size, element: str) -> Size:
    return size_in if _MAPS[element][0] else Size(size_in.width, size_in.height)


OP = Op(D4, Places(matrix, canvas), examples=(D4(element=("hvt",)), D4(element=("r270",)), D4(element=("r180", "h", "v"))))
