"""crop: a given box of the picture."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import SizeField, Warp, size_of
from kernels.tensors import MAX_SIDE, Size

_Place = Annotated[int, Field(ge=0, le=MAX_SIDE, strict=True)]


class Crop(Warp):
    """Cut one box, the same for all pictures, out of the picture; what it has outside of it is padded. Exact."""

    op: Literal["crop"] = "crop"
    left: _Place = 0
    """Columns of the picture before the box."""
    top: _Place = 0
    """Rows of the picture above the box."""
    size: SizeField = (224, 224)
    """Size of the box, [height, width] in pixels."""


def matrix(size_in: Size, left: int, top: int) -> Matrix:
    return translation(-left, -top)


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    Crop,
    Places(matrix, canvas),
    examples=(Crop(left=90, top=20, size=(160, 200)), Crop(left=5, top=3, size=(40, 80), border="wrap")),
)
