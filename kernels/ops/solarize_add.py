"""solarize_add: brighten the dark part of a picture only."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value, where


class SolarizeAdd(Params):
    """Add to every value below a threshold."""

    op: Literal["solarize_add"] = "solarize_add"
    addition: Annotated[Range, Uniform(-1, 1, unit="fraction of full brightness")] = (0.0, 0.43)
    """What is added."""
    threshold: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.5, 0.5)
    """Where it ends: values from here on stay."""


def raised(value: Value, addition: float, threshold: float) -> Value:
    return where(value < threshold, value + addition, value)


def solarize_add(r: Value, g: Value, b: Value, addition: float, threshold: float) -> tuple[Value, Value, Value]:
    return raised(r, addition, threshold), raised(g, addition, threshold), raised(b, addition, threshold)


OP = Op(
    SolarizeAdd,
    Pixels(solarize_add),
    examples=(SolarizeAdd(addition=(0.35, 0.35)), SolarizeAdd(addition=(0.2, 0.2), threshold=(0.3, 0.3))),
)
