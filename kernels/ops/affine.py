"""affine: scale, lean, turn and shift in one step."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import about_centre, product, rotation, scaling, shear, translation
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size


class Affine(Warp):
    """Lean, scale and turn the picture about its centre, then shift it; the canvas is kept."""

    op: Literal["affine"] = "affine"
    degrees: Annotated[Range, Uniform(-360, 360, unit="degrees")] = (-10, 10)
    """Angle of the turn, counter-clockwise."""
    translate_x: Annotated[Range, Uniform(-1, 1, unit="fraction of the width, to the right")] = (-0.05, 0.05)
    """Shift to the right."""
    translate_y: Annotated[Range, Uniform(-1, 1, unit="fraction of the height, down")] = (-0.05, 0.05)
    """Shift down."""
    scale: Annotated[Range, Uniform(0.05, 20, unit="times larger")] = (0.9, 1.1)
    """Enlargement; below 1 the picture shrinks."""
    shear_x: Annotated[Range, Uniform(-40, 40, unit="degrees")] = (-5, 5)
    """Angle by which upright lines lean."""
    shear_y: Annotated[Range, Uniform(-40, 40, unit="degrees")] = (0, 0)
    """Angle by which level lines lean."""


def matrix(
    size_in: Size, degrees: float, translate_x: float, translate_y: float, scale: float, shear_x: float, shear_y: float
) -> Matrix:
    shape = product(rotation(degrees), scaling(scale, scale), shear(shear_x, shear_y))
    return product(translation(translate_x * size_in.width, translate_y * size_in.height), about_centre(shape, size_in))


OP = Op(
    Affine,
    Places(matrix),
    examples=(
        Affine(degrees=(15, 15), translate_x=(0.1, 0.1), scale=(0.8, 0.8), shear_x=(10, 10)),
        Affine(degrees=(-10, -10), scale=(1.4, 1.4), border="reflect"),
    ),
)
