"""one_of: one step of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kernels.op import Container, Op
from kernels.ops.hue import Hue
from kernels.ops.rotate import Rotate
from kernels.ops.solarize import Solarize
from kernels.params import Params, Weighted
from kernels.picks import weighed


class OneOf(Weighted):
    """Carry out one of the steps inside, chosen by weights."""

    op: Literal["one_of"] = "one_of"


def draws(params: Params) -> int:
    return 1


def taken(params: OneOf, fractions: Sequence[float]) -> Sequence[int]:
    return (weighed(params.weights, fractions[0]),)


def bounds(params: Params) -> tuple[int, int]:
    return 1, 1


OP = Op(
    OneOf,
    Container(draws, taken, bounds),
    examples=(
        OneOf(steps=(Rotate(degrees=(15, 30)), Solarize(threshold=(0.4, 0.6)), Hue(turn=(0.2, 0.4)))),
        OneOf(steps=(Rotate(degrees=(-30, -15)), Solarize(threshold=(0.5, 0.5))), weights=(3, 1)),
    ),
)
