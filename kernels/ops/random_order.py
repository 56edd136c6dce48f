"""random_order: steps in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kernels.op import Container, Op
from kernels.ops.rotate import Rotate
from kernels.ops.saturation import Saturation
from kernels.ops.sequence import bounds
from kernels.ops.solarize import Solarize
from kernels.params import Group
from kernels.picks import shuffled


class RandomOrder(Group):
    """Carry out all steps inside, in an order of each picture's own; every order is as likely."""

    op: Literal["random_order"] = "random_order"


def draws(params: Group) -> int:
    return len(params.steps) - 1


def taken(params: Group, fractions: Sequence[float]) -> Sequence[int]:
    return shuffled(range(len(params.steps)), fractions)


OP = Op(
    RandomOrder,
    Container(draws, taken, bounds),
    examples=(RandomOrder(steps=(Rotate(degrees=(10, 20)), Solarize(threshold=(0.4, 0.6)), Saturation(factor=(2, 3)))),),
)
