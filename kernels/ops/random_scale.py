"""random_scale: the whole picture, larger or smaller."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import scaled
from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class RandomScale(Params):
    """Enlarge or shrink the whole picture and its canvas, its shape kept; smoothed where it shrinks."""

    op: Literal["random_scale"] = "random_scale"
    factor: Annotated[Range, Uniform(0.05, 4, unit="times larger")] = (0.9, 1.1)
    """Enlargement of the sides, which are rounded to whole pixels."""


def matrix(size_in: Size, factor: float) -> Matrix:
    return window(0.0, 0.0, size_in.width, size_in.height, canvas(size_in, factor))


def canvas(size_in: Size, factor: float) -> Size:
    return scaled(size_in, factor)


OP = Op(RandomScale, Places(matrix, canvas), examples=(RandomScale(factor=(0.6, 0.6)), RandomScale(factor=(1.7, 1.7))))
