"""vignetting: darker towards the corners, as by a simple lens."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, maximum


class Vignetting(Params):
    """Darken the picture with the square of the distance from a middle; its farthest corner gets darkest."""

    op: Literal["vignetting"] = "vignetting"
    intensity: Annotated[Range, Uniform(0, 1, unit="share of the light")] = (0.2, 0.5)
    """What the farthest corner loses."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.3, 0.7)
    """Middle, which loses nothing, from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.3, 0.7)
    """Middle from top (0) to bottom (1)."""


def vignetting(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    intensity: float,
    across: float,
    down: float,
) -> tuple[Value, Value, Value]:
    right, below = x - across * w, y - down * h
    widest, highest = w * maximum(across, 1.0 - across), h * maximum(down, 1.0 - down)
    lost = intensity / (widest * widest + highest * highest)
    kept = 1.0 - lost * (right * right + below * below)
    return r * kept, g * kept, b * kept


OP = Op(
    Vignetting,
    Pixels(vignetting),
    examples=(
        Vignetting(intensity=(0.8, 0.8), across=(0.5, 0.5), down=(0.5, 0.5)),
        Vignetting(intensity=(0.5, 0.5), across=(0.3, 0.3), down=(0.6, 0.6)),
    ),
)
