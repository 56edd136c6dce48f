"""sigmoid_contrast: more contrast in the middle, softly less at the ends."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, exp2


class SigmoidContrast(Params):
    """Bend the values along an S: value becomes 1 / (1 + e^(gain (cutoff - value)))."""

    op: Literal["sigmoid_contrast"] = "sigmoid_contrast"
    gain: Annotated[Range, Uniform(0, 30, unit="steepness")] = (4.0, 8.0)
    """How steep the curve is: at 4 the middle keeps its contrast, and black and white come closer."""
    cutoff: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.4, 0.6)
    """The value that becomes mid-grey."""


def bent(value: Value, gain: float, cutoff: float) -> Value:
    return 1.0 / (1.0 + exp2(1.4426950 * gain * (cutoff - value)))


def sigmoid_contrast(r: Value, g: Value, b: Value, gain: float, cutoff: float) -> tuple[Value, Value, Value]:
    return bent(r, gain, cutoff), bent(g, gain, cutoff), bent(b, gain, cutoff)


OP = Op(
    SigmoidContrast,
    Pixels(sigmoid_contrast),
    examples=(SigmoidContrast(gain=(10.0, 10.0), cutoff=(0.5, 0.5)), SigmoidContrast(gain=(4.0, 4.0), cutoff=(0.4, 0.4))),
)
