"""tone_curve: bend shadows and highlights."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class ToneCurve(Params):
    """Bend the values along a Bezier curve from black to white, whose two inner points are moved up or down."""

    op: Literal["tone_curve"] = "tone_curve"
    shadows: Annotated[Range, Uniform(-0.3, 0.3, unit="fraction of full brightness")] = (-0.1, 0.1)
    """How far the inner point at a third of full brightness is moved up."""
    highlights: Annotated[Range, Uniform(-0.3, 0.3, unit="fraction of full brightness")] = (-0.1, 0.1)
    """How far the one at two thirds is moved up."""


def bent(value: Value, shadows: float, highlights: float) -> Value:
    return value + 3.0 * value * (1.0 - value) * (shadows * (1.0 - value) + highlights * value)


def tone_curve(r: Value, g: Value, b: Value, shadows: float, highlights: float) -> tuple[Value, Value, Value]:
    return bent(r, shadows, highlights), bent(g, shadows, highlights), bent(b, shadows, highlights)


OP = Op(
    ToneCurve,
    Pixels(tone_curve),
    examples=(
        ToneCurve(shadows=(-0.25, -0.25), highlights=(0.2, 0.2)),
        ToneCurve(shadows=(0.1, 0.1), highlights=(-0.05, -0.05)),
    ),
)
