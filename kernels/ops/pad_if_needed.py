"""pad_if_needed: a frame around what is too small."""

from __future__ import annotations

from typing import Literal

from kernels.framing import Position, corner
from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import SizeField, Warp
from kernels.tensors import Size


class PadIfNeeded(Warp):
    """Put a frame around a picture that is smaller than a size, so that it has it; a larger side is left. Exact."""

    op: Literal["pad_if_needed"] = "pad_if_needed"
    size: SizeField = (512, 512)
    """The least that the result has, [height, width] in pixels."""
    position: Position = ("center",)
    """Where the picture lies in its frame."""


def matrix(size_in: Size, size: tuple[int, int], position: str) -> Matrix:
    return translation(*corner(position, size_in, canvas(size_in, size)))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return Size(max(size_in.height, size[0]), max(size_in.width, size[1]))


OP = Op(
    PadIfNeeded,
    Places(matrix, canvas),
    examples=(
        PadIfNeeded(size=(320, 320), fill=(0.2, 0.4, 0.8)),
        PadIfNeeded(size=(101, 90), position=("bottom_right",), border="reflect"),
    ),
)
