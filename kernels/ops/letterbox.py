"""letterbox: the whole picture on a canvas of one size, bars at its sides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.framing import Position, corner, fitting, scaled
from kernels.matrices import multiply, translation, window
from kernels.op import Matrix, Op, Places
from kernels.params import Color, SizeField, Warp, size_of
from kernels.tensors import Size


class Letterbox(Warp):
    """Scale the whole picture so that it fits a canvas, its shape kept, and fill the rest; smoothed where it shrinks.

    As YOLO detectors take their pictures; grey 114 as there.
    """

    op: Literal["letterbox"] = "letterbox"
    fill: Color = (114 / 255, 114 / 255, 114 / 255)
    """Colour of the bars where `border` is constant."""
    size: SizeField = (640, 640)
    """Size of the result, [height, width] in pixels."""
    position: Position = ("center",)
    """Where the picture lies on the canvas."""
    scaleup: Annotated[bool, Field(strict=True)] = True
    """Whether a picture that is smaller is enlarged too."""


def matrix(size_in: Size, size: tuple[int, int], position: str, scaleup: bool) -> Matrix:
    target = size_of(size)
    factor = fitting(size_in, target)
    inner = scaled(size_in, factor if scaleup else min(factor, 1.0))
    left, top = corner(position, inner, target)
    return multiply(translation(left, top), window(0.0, 0.0, size_in.width, size_in.height, inner))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    Letterbox,
    Places(matrix, canvas),
    examples=(Letterbox(size=(320, 320)), Letterbox(size=(150, 90), position=("top_left",), scaleup=False)),
)
