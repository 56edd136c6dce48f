"""smallest_max_size: the shorter side gets a given length."""

from __future__ import annotations

from typing import Literal

from kernels.framing import scaled
from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Params, Side
from kernels.tensors import Size


class SmallestMaxSize(Params):
    """Scale the whole picture so that its shorter side has a given length, its shape kept; smoothed where it shrinks."""

    op: Literal["smallest_max_size"] = "smallest_max_size"
    max_size: Side = 256
    """Length of the shorter side, in pixels. The other one is rounded."""


def matrix(size_in: Size, max_size: int) -> Matrix:
    return window(0.0, 0.0, size_in.width, size_in.height, canvas(size_in, max_size))


def canvas(size_in: Size, max_size: int) -> Size:
    return scaled(size_in, max_size / min(size_in))


OP = Op(SmallestMaxSize, Places(matrix, canvas), examples=(SmallestMaxSize(max_size=120), SmallestMaxSize(max_size=20)))
