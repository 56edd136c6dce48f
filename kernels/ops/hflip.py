"""hflip: mirror image."""

from __future__ import annotations

from typing import Literal

from kernels.op import Matrix, Op, Places
from kernels.params import Params
from kernels.tensors import Size


class Hflip(Params):
    """Mirror the picture: left becomes right. Exact."""

    op: Literal["hflip"] = "hflip"


def matrix(size_in: Size) -> Matrix:
    return -1.0, 0.0, float(size_in.width), 0.0, 1.0, 0.0, 0.0, 0.0, 1.0


OP = Op(Hflip, Places(matrix), examples=(Hflip(),))
