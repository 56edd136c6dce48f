"""transpose: rows become columns."""

from __future__ import annotations

from typing import Literal

from kernels.matrices import linear
from kernels.op import Matrix, Op, Places
from kernels.params import Params
from kernels.tensors import Size


class Transpose(Params):
    """Mirror the picture in its falling diagonal: rows become columns, and a wide picture a tall one. Exact."""

    op: Literal["transpose"] = "transpose"


def matrix(size_in: Size) -> Matrix:
    return linear(0.0, 1.0, 1.0, 0.0)


def canvas(size_in: Size) -> Size:
    return Size(size_in.width, size_in.height)


OP = Op(Transpose, Places(matrix, canvas), examples=(Transpose(),))
