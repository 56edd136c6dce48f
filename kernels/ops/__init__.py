"""The list of operations: one line each. A duplicate name fails at start."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kernels.op import Op
from kernels.ops import solarize

_ALL: tuple[Op, ...] = (solarize.OP,)


def _named(ops: tuple[Op, ...]) -> Mapping[str, Op]:
    named = {op.name: op for op in ops}
    if len(named) != len(ops):
        names = [op.name for op in ops]
        raise ValueError(f"two operations share a name: {sorted({name for name in names if names.count(name) > 1})}")
    return MappingProxyType(named)


OPS = _named(_ALL)
"""Every operation by name, in the order of the catalogue."""
