"""solarize: invert the bright part of a picture."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, where


class Solarize(Params):
    """Invert every value at or above a threshold."""

    op: Literal["solarize"] = "solarize"
    threshold: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.3, 0.7)
    """Where inversion starts."""


def flipped(value: Value, threshold: float) -> Value:
    return where(value < threshold, value, 1.0 - value)


def solarize(r: Value, g: Value, b: Value, threshold: float) -> tuple[Value, Value, Value]:
    return flipped(r, threshold), flipped(g, threshold), flipped(b, threshold)


OP = Op(Solarize, Pixels(solarize), examples=(Solarize(threshold=(0.5, 0.5)), Solarize(threshold=(0.9, 0.9))))
