"""vflip: upside down."""

from __future__ import annotations

from typing import Literal

from kernels.op import Matrix, Op, Places
from kernels.params import Params
from kernels.tensors import Size


class Vflip(Params):
    """Turn the picture upside down, as in still water: top becomes bottom. Exact."""

    op: Literal["vflip"] = "vflip"


def matrix(size_in: Size) -> Matrix:
    return 1.0, 0.0, 0.0, 0.0, -1.0, float(size_in.height), 0.0, 0.0, 1.0


OP = Op(Vflip, Places(matrix), examples=(Vflip(),))
