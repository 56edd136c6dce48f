"""corner_illumination: light from a corner."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.words import Value, where

CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")


class CornerIllumination(Params):
    """Add light, or shade, that is strongest in one corner and falls evenly to nothing in the opposite one.

    The other two corners get half of it, whatever the picture's shape.
    """

    op: Literal["corner_illumination"] = "corner_illumination"
    gain: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (-0.2, 0.2)
    """What is added in the corner; below 0 it is taken away."""
    corner: Annotated[Names, Choice(CORNERS)] = CORNERS
    """The corner that the light comes from."""


def corner_illumination(
    r: Value, g: Value, b: Value, x: Value, y: Value, w: float, h: float, gain: float, corner: int
) -> tuple[Value, Value, Value]:
    across, down = x / w, y / h
    near = where((corner == 0) | (corner == 2), 1.0 - across, across) + where(corner < 2, 1.0 - down, down)
    light = 0.5 * gain * near
    return r + light, g + light, b + light


OP = Op(
    CornerIllumination,
    Pixels(corner_illumination),
    examples=(
        CornerIllumination(gain=(0.5, 0.5), corner=("top_right",)),
        CornerIllumination(gain=(-0.4, -0.4), corner=("bottom_left",)),
    ),
)
