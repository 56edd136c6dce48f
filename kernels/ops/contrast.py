"""contrast: spread the values about the picture's mean grey, or draw them together."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma, mixed
from kernels.op import Mean, Op, Statistic
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class Contrast(Params):
    """Move every value away from the mean of the grey picture, or towards it."""

    op: Literal["contrast"] = "contrast"
    factor: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What the distance to the mean is multiplied by: 0 is even grey, 1 leaves it."""


def contrast(r: Value, g: Value, b: Value, factor: float, grey: float) -> tuple[Value, Value, Value]:
    return mixed(r, factor, grey), mixed(g, factor, grey), mixed(b, factor, grey)


OP = Op(
    Contrast,
    Statistic(Mean(luma), ("grey",), contrast),
    examples=(Contrast(factor=(2.0, 2.0)), Contrast(factor=(0.4, 0.4))),
)
