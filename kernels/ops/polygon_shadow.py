"""polygon_shadow: something outside the picture throws a shadow over it."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, clamp, maximum


class PolygonShadow(Params):
    """Darken a slanted band that crosses the picture from top to bottom, as the shadow of a pole or a wall."""

    op: Literal["polygon_shadow"] = "polygon_shadow"
    intensity: Annotated[Range, Uniform(0, 1, unit="share of the light")] = (0.3, 0.6)
    """What the shadow takes away."""
    top: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.0, 1.0)
    """Middle of the band at the top, from left (0) to right (1)."""
    bottom: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.0, 1.0)
    """Middle of the band at the bottom."""
    width: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.2, 0.5)
    """How wide it is."""
    softness: Annotated[Range, Uniform(0, 1, unit="fraction of the width")] = (0.0, 0.05)
    """Width of its blurred edges, one pixel at least."""


def polygon_shadow(
    r: Value,
    g: Value,
    b: Value,
    x: Value,
    y: Value,
    w: float,
    h: float,
    intensity: float,
    top: float,
    bottom: float,
    width: float,
    softness: float,
) -> tuple[Value, Value, Value]:
    away = x - w * (top + (bottom - top) / h * y)
    shade = clamp((0.5 * w * width - maximum(away, -away)) / maximum(softness * w, 1.0) + 0.5)
    kept = 1.0 - intensity * shade
    return r * kept, g * kept, b * kept


OP = Op(
    PolygonShadow,
    Pixels(polygon_shadow),
    examples=(
        PolygonShadow(intensity=(0.6, 0.6), top=(0.25, 0.25), bottom=(0.7, 0.7), width=(0.35, 0.35), softness=(0.03, 0.03)),
        PolygonShadow(intensity=(0.4, 0.4), top=(0.9, 0.9), bottom=(0.8, 0.8), width=(0.5, 0.5), softness=(0.2, 0.2)),
    ),
)
