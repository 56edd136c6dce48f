"""random_crop_from_borders: cut a little off each side."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size

_Share = Annotated[Range, Uniform(0, 0.49, unit="fraction of the side")]


class RandomCropFromBorders(Params):
    """Cut rows and columns off the four sides, each by its own amount; nothing is scaled. Exact."""

    op: Literal["random_crop_from_borders"] = "random_crop_from_borders"
    left: _Share = (0, 0.1)
    """What is cut off on the left, of the width; fractions of pixels are kept."""
    top: _Share = (0, 0.1)
    """What is cut off at the top, of the height."""
    right: _Share = (0, 0.1)
    """What is cut off on the right, of the width."""
    bottom: _Share = (0, 0.1)
    """What is cut off at the bottom, of the height."""


def matrix(size_in: Size, left: float, top: float) -> Matrix:
    return translation(-math.floor(left * size_in.width), -math.floor(top * size_in.height))


def canvas(size_in: Size, left: float, top: float, right: float, bottom: float) -> Size:
    columns = sum(math.floor(share * size_in.width) for share in (left, right))
    rows = sum(math.floor(share * size_in.height) for share in (top, bottom))
    return Size(size_in.height - rows, size_in.width - columns)


OP = Op(
    RandomCropFromBorders,
    Places(matrix, canvas),
    examples=(RandomCropFromBorders(left=(0.3, 0.3), top=(0.1, 0.1), right=(0.1, 0.1), bottom=(0.2, 0.2)),),
)
