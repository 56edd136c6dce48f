"""longest_max_size: the longer side gets a given length."""

from __future__ import annotations

from typing import Literal

from kernels.framing import scaled
from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Params, Side
from kernels.tensors import Size


class LongestMaxSize(Params):
    """Scale the whole picture so that its longer side has a given length, its shape kept; smoothed where it shrinks."""

    op: Literal["longest_max_size"] = "longest_max_size"
    max_size: Side = 1024
    """Length of the longer side, in pixels. The other one is rounded."""


def matrix(size_in: Size, max_size: int) -> Matrix:
    return window(0.0, 0.0, size_in.width, size_in.height, canvas(size_in, max_size))


def canvas(size_in: Size, max_size: int) -> Size:
    return scaled(size_in, max_size / max(size_in))


OP = Op(LongestMaxSize, Places(matrix, canvas), examples=(LongestMaxSize(max_size=200), LongestMaxSize(max_size=30)))
