"""sequence: steps as one."""

from __future__ import annotations

from collections.abc import Sequence as Numbers
from typing import Literal

from kernels.op import Container, Op
from kernels.ops.hflip import Hflip
from kernels.ops.rotate import Rotate
from kernels.params import Group


class Sequence(Group):
    """Carry out the steps inside, in order: one branch of another container, or a group with one `chance`."""

    op: Literal["sequence"] = "sequence"


def draws(params: Group) -> int:
    return 0


def taken(params: Group, fractions: Numbers[float]) -> Numbers[int]:
    return range(len(params.steps))


def bounds(params: Group) -> tuple[int, int]:
    return len(params.children()), len(params.children())


OP = Op(
    Sequence,
    Container(draws, taken, bounds),
    examples=(Sequence(steps=(Hflip(), Rotate(degrees=(20, 20)))),),
)
