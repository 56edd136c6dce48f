"""shift_scale_rotate: the three usual motions of a camera in one step."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import about_centre, multiply, product, rotation, scaling, translation
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class ShiftScaleRotate(Warp):
    """Turn and scale the picture about its centre, then shift it; the canvas is kept. `affine` without its lean."""

    op: Literal["shift_scale_rotate"] = "shift_scale_rotate"
    shift_x: Annotated[Range, Uniform(-1, 1, unit="fraction of the width, to the right")] = (-0.0625, 0.0625)
    """Shift to the right."""
    shift_y: Annotated[Range, Uniform(-1, 1, unit="fraction of the height, down")] = (-0.0625, 0.0625)
    """Shift down."""
    scale: Annotated[Range, Uniform(0.05, 20, unit="times larger")] = (0.9, 1.1)
    """Enlargement; below 1 the picture shrinks."""
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-45, 45)
    """Angle of the turn, counter-clockwise."""


def matrix(size_in: Size, shift_x: float, shift_y: float, scale: float, degrees: float) -> Matrix:
    turned = about_centre(product(scaling(scale, scale), rotation(degrees)), size_in)
    return multiply(translation(shift_x * size_in.width, shift_y * size_in.height), turned)


OP = Op(
    ShiftScaleRotate,
    Places(matrix),
    examples=(
        ShiftScaleRotate(shift_x=(0.06, 0.06), shift_y=(-0.06, -0.06), scale=(0.9, 0.9), degrees=(-25, -25)),
        ShiftScaleRotate(shift_x=(0.1, 0.1), scale=(1.2, 1.2), degrees=(45, 45), border="reflect"),
    ),
)
