"""translate: shift the picture."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import Integer, IntegerRange, Range, Uniform, Warp
from kernels.tensors import MAX_SIDE, Size


class Translate(Warp):
    """Shift the picture to the right and down by a fraction of its sides, by whole pixels, or by both together.

    Whole pixels alone (`x` and `y` 0) are exact; with `border: wrap` what leaves on one side comes back on the other.
    """

    op: Literal["translate"] = "translate"
    x: Annotated[Range, Uniform(-1, 1, unit="fraction of the width, to the right")] = (-0.1, 0.1)
    """Shift to the right."""
    y: Annotated[Range, Uniform(-1, 1, unit="fraction of the height, down")] = (-0.1, 0.1)
    """Shift down."""
    x_pixels: Annotated[IntegerRange, Integer(-MAX_SIDE, MAX_SIDE, unit="pixels to the right")] = (0, 0)
    """Shift to the right, added to `x`."""
    y_pixels: Annotated[IntegerRange, Integer(-MAX_SIDE, MAX_SIDE, unit="pixels down")] = (0, 0)
    """Shift down, added to `y`."""


def matrix(size_in: Size, x: float, y: float, x_pixels: int, y_pixels: int) -> Matrix:
    return translation(x * size_in.width + x_pixels, y * size_in.height + y_pixels)


OP = Op(
    Translate,
    Places(matrix),
    examples=(
        Translate(x=(0.25, 0.25), y=(0.1, 0.1)),
        Translate(x=(0, 0), y=(0, 0), x_pixels=(100, 100), y_pixels=(-60, -60), border="wrap"),
    ),
)
