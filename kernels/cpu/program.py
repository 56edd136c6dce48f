"""Programs: steps on single pixels as data, a table of opcodes and a row of float parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kernels.cpu import opcodes
from kernels.op import Mean, Statistic
from kernels.plan import PlannedStep

NO_MEAN = -1
Numbers = Mapping[str, float]


class Program(NamedTuple):
    """`steps`: four numbers each, opcode, offset in `row`, two seed words. `row`: the parameters of all steps.

    mean: the opcode of what is averaged after the first `cut` steps, with its parameters at `mean_at`, and the place in
    the row that its mean goes to; NO_MEAN for nothing.
    """

    steps: list[int]
    row: list[float]
    cut: int
    mean: int
    mean_at: int
    slot: int


def program(steps: Sequence[tuple[PlannedStep, Numbers]], cut: int | None) -> Program:
    """Steps on single pixels, each with the numbers measured for it; the one at `cut` needs a mean of what is before it."""
    told: list[int] = []
    row: list[float] = []
    mean, mean_at, slot = NO_MEAN, 0, 0
    for number, (step, measured) in enumerate(steps):
        opcode = opcodes.steps()[step.op.name]
        if number == cut:
            averaged = opcodes.means()[step.op.name]
            mean, mean_at = averaged.number, len(row)
            row += averaged.row(step.fields)
            assert isinstance(step.op.kind, Statistic)
            slot = len(row) + opcode.offset(step.op.kind.names[0])
        told += (opcode.number, len(row), *step.noise_seed)
        row += opcode.row({**step.fields, **measured} if measured else step.fields)
    return Program(told, row, cut or 0, mean, mean_at, slot)


def averages(step: PlannedStep) -> bool:
    """Whether a step needs a `Mean` of the picture first."""
    kind = step.op.kind
    return isinstance(kind, Statistic) and isinstance(kind.measure, Mean)
