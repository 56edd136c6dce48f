"""gamma: brighten or darken the middle, keep black and white."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, exp2, log2, maximum, where


class Gamma(Params):
    """Raise every value to a power; black and white stay."""

    op: Literal["gamma"] = "gamma"
    exponent: Annotated[Range, Uniform(0.05, 20, unit="power")] = (0.7, 1.4)
    """The power: below 1 brightens, above 1 darkens."""


def power(value: Value, exponent: float) -> Value:
    return where(value > 0.0, exp2(log2(maximum(value, 1e-30)) * exponent), 0.0)


def gamma(r: Value, g: Value, b: Value, exponent: float) -> tuple[Value, Value, Value]:
    return power(r, exponent), power(g, exponent), power(b, exponent)


OP = Op(Gamma, Pixels(gamma), examples=(Gamma(exponent=(0.5, 0.5)), Gamma(exponent=(2.2, 2.2))))
