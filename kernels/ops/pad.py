"""pad: a frame around the picture."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import Warp
from kernels.tensors import MAX_SIDE, Size

_Width = Annotated[int, Field(ge=0, le=MAX_SIDE, strict=True)]


class Pad(Warp):
    """Put a frame around the picture: of one colour, of its edge pixels, of its mirror image or of itself. Exact."""

    op: Literal["pad"] = "pad"
    left: _Width = 16
    """Pixels added on the left."""
    top: _Width = 16
    """Pixels added at the top."""
    right: _Width = 16
    """Pixels added on the right."""
    bottom: _Width = 16
    """Pixels added at the bottom."""


def matrix(size_in: Size, left: int, top: int) -> Matrix:
    return translation(left, top)


def canvas(size_in: Size, left: int, top: int, right: int, bottom: int) -> Size:
    return Size(size_in.height + top + bottom, size_in.width + left + right)


OP = Op(
    Pad,
    Places(matrix, canvas),
    examples=(
        Pad(left=40, top=40, right=40, bottom=40, fill=(0.2, 0.4, 0.8)),
        Pad(left=120, top=0, right=120, bottom=0, border="reflect"),
    ),
)
