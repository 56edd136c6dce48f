"""repeat: steps again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from kernels.op import Container, Op
from kernels.ops.cutout import Cutout
from kernels.params import MAX_STEPS, Group, Integer, IntegerRange, Params


class Repeat(Group):
    """Carry out the steps inside, in order, several times, each time with draws of its own.

    Every repetition that there may be counts toward the steps that a recipe may have.
    """

    op: Literal["repeat"] = "repeat"
    times: Annotated[IntegerRange, Integer(0, MAX_STEPS - 1, unit="times")] = (1, 3)
    """How many times."""

    def children(self) -> tuple[Params, ...]:
        return self.steps * self.times[1]


def draws(params: Repeat) -> int:
    return 0


def taken(params: Repeat, fractions: Sequence[float], times: int) -> Sequence[int]:
    return range(len(params.steps) * times)


def bounds(params: Repeat) -> tuple[int, int]:
    return len(params.steps) * params.times[0], len(params.steps) * params.times[1]


OP = Op(
    Repeat,
    Container(draws, taken, bounds),
    examples=(Repeat(steps=(Cutout(area=(0.02, 0.05)),), times=(3, 5)),),
)
