"""crop_and_pad: cut off on some sides, add on others."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size

_Share = Annotated[Range, Uniform(-0.45, 1, unit="fraction of the side")]


class CropAndPad(Warp):
    """Cut whole rows and columns off the picture, or add some, on each side; then bring it back to its size.

    Above 0 a side is padded, below 0 it is cropped.
    """

    op: Literal["crop_and_pad"] = "crop_and_pad"
    left: _Share = (-0.1, 0.1)
    """What is added on the left, of the width; fractions of pixels are dropped."""
    top: _Share = (-0.1, 0.1)
    """What is added at the top, of the height."""
    right: _Share = (-0.1, 0.1)
    """What is added on the right, of the width."""
    bottom: _Share = (-0.1, 0.1)
    """What is added at the bottom, of the height."""
    keep_size: Annotated[bool, Field(strict=True)] = True
    """Whether the result is brought back to the picture's own size; if not, it is exact."""


def framed(size_in: Size, left: float, top: float, right: float, bottom: float) -> tuple[int, int, Size]:
    """Columns and rows that are added on the left and at the top, and the size with all four sides."""
    columns = [math.trunc(share * size_in.width) for share in (left, right)]
    rows = [math.trunc(share * size_in.height) for share in (top, bottom)]
    return columns[0], rows[0], Size(size_in.height + sum(rows), size_in.width + sum(columns))


def matrix(size_in: Size, left: float, top: float, right: float, bottom: float, keep_size: bool) -> Matrix:
    before, above, size = framed(size_in, left, top, right, bottom)
    return window(-before, -above, size.width, size.height, size_in if keep_size else size)


def canvas(size_in: Size, left: float, top: float, right: float, bottom: float, keep_size: bool) -> Size:
    return size_in if keep_size else framed(size_in, left, top, right, bottom)[2]


OP = Op(
    CropAndPad,
    Places(matrix, canvas),
    examples=(
        CropAndPad(left=(0.2, 0.2), top=(-0.25, -0.25), right=(-0.1, -0.1), bottom=(0.1, 0.1)),
        CropAndPad(left=(-0.2, -0.2), top=(0.3, 0.3), keep_size=False, border="reflect"),
    ),
)
