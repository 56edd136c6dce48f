"""resize: another size."""

from __future__ import annotations

from typing import Literal

from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Params, SizeField, size_of
from kernels.tensors import Size


class Resize(Params):
    """Stretch the whole picture to a size; smoothed where it shrinks."""

    op: Literal["resize"] = "resize"
    size: SizeField = (256, 256)
    """Size of the result, [height, width] in pixels."""


def matrix(size_in: Size, size: tuple[int, int]) -> Matrix:
    return window(0.0, 0.0, size_in.width, size_in.height, size_of(size))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(Resize, Places(matrix, canvas), examples=(Resize(size=(128, 256)), Resize(size=(600, 400))))
