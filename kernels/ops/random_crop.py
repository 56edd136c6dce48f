"""random_crop: a window of fixed size at a random place."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import place
from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import Range, SizeField, Uniform, Warp, size_of
from kernels.tensors import Size


class RandomCrop(Warp):
    """Cut a window out of the picture at a random place; a picture that is too small is padded. Exact."""

    op: Literal["random_crop"] = "random_crop"
    size: SizeField = (224, 224)
    """Size of the result, [height, width] in pixels."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Place of the window from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Place of the window from top (0) to bottom (1)."""


def matrix(size_in: Size, size: tuple[int, int], x: float, y: float) -> Matrix:
    height, width = size
    return translation(-place(x, size_in.width - width), -place(y, size_in.height - height))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    RandomCrop,
    Places(matrix, canvas),
    examples=(RandomCrop(size=(200, 300), x=(0.5, 0.5), y=(0.1, 0.1)), RandomCrop(size=(96, 96))),
)
