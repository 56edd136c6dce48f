"""Programs: steps on single pixels as data, a table of opcodes and a row of float parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.cpu import opcodes
from kernels.cpu.opcodes import Opcode
from kernels.op import Mean, Statistic
from kernels.plan import PlannedStep

NO_MEAN = -1
Numbers = Mapping[str, float]


class Program(NamedTuple):
    """`table`: (steps, 4) opcode, offset in `row`, two seed words. `row`: the parameters of all steps.

    mean: the opcode of what is averaged after the last step, with its parameters at `mean_at`; NO_MEAN for nothing.
    """

    table: NDArray[np.int64]
    row: NDArray[np.float32]
    mean: int
    mean_at: int


def program(steps: Sequence[tuple[PlannedStep, Numbers]], then: PlannedStep | None) -> Program:
    """Steps on single pixels, each with the numbers measured for it, and the step whose mean is taken after them."""
    lines: list[tuple[int, int, int, int]] = []
    row: list[float] = []
    for step, measured in steps:
        opcode = opcodes.steps()[step.op.name]
        lines.append((opcode.number, len(row), *step.noise_seed))
        _append(row, opcode, step.fields, measured)
    mean, mean_at = NO_MEAN, len(row)
    if then is not None:
        opcode = opcodes.means()[then.op.name]
        mean = opcode.number
        _append(row, opcode, then.fields, {})
    table = np.array(lines, dtype=np.int64).reshape(len(lines), 4)
    return Program(table, np.array(row or [0.0], dtype=np.float32), mean, mean_at)


def averages(step: PlannedStep) -> bool:
    """Whether a step needs a `Mean` of the picture first."""
    kind = step.op.kind
    return isinstance(kind, Statistic) and isinstance(kind.measure, Mean)


def _append(row: list[float], opcode: Opcode, fields: Mapping[str, Any], measured: Numbers) -> None:
    for slot in opcode.slots:
        value: Any = fields[slot.name] if slot.name in fields else measured[slot.name]
        if slot.names:
            row.append(slot.names.index(value))
        elif slot.length > 1:
            row.extend(value)
        else:
            row.append(value)
