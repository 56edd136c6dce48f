"""pad_to_multiple: sides that a network can halve several times."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.framing import Position, corner
from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import Warp
from kernels.tensors import Size


class PadToMultiple(Warp):
    """Put as much of a frame around the picture that both sides are multiples of a number. Exact."""

    op: Literal["pad_to_multiple"] = "pad_to_multiple"
    multiple: Annotated[int, Field(ge=1, le=1024, strict=True)] = 32
    """The number."""
    position: Position = ("top_left",)
    """Where the picture lies in its frame: at the top left, all of the frame is at its right and bottom."""


def matrix(size_in: Size, multiple: int, position: str) -> Matrix:
    return translation(*corner(position, size_in, canvas(size_in, multiple)))


def canvas(size_in: Size, multiple: int) -> Size:
    return Size(*(-(-side // multiple) * multiple for side in size_in))


OP = Op(
    PadToMultiple,
    Places(matrix, canvas),
    examples=(
        PadToMultiple(multiple=128, position=("center",), fill=(0.2, 0.4, 0.8)),
        PadToMultiple(multiple=35, border="replicate"),
    ),
)
