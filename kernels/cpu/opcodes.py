"""Opcodes: the numbers by which compiled kernels know the pixel operations, and where their parameters stand.

A picture's program is a table of opcodes and a row of float parameters: data, so that no recipe needs a compilation.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any

from kernels.op import FRAME, Mean, Op, Pixels, Statistic
from kernels.ops import OPS
from kernels.params import Choice, drawn_fields

Function = Callable[..., object]


@dataclass(frozen=True)
class Slot:
    """A field's place in the parameter row: `length` floats; a name is its place in `names`."""

    name: str
    length: int
    names: tuple[str, ...]

    def numbers(self, value: Any) -> Sequence[float]:
        """What a field's value puts there."""
        if self.names:
            return (self.names.index(value),)
        return value if self.length > 1 else (value,)


@dataclass(frozen=True)
class Opcode:
    """A pixel function and its parameters, in the order in which they stand in the row."""

    number: int
    op: str
    function: Function
    arguments: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def length(self) -> int:
        return sum(slot.length for slot in self.slots)

    def offset(self, name: str) -> int:
        """Where the parameter `name` starts among the operation's own."""
        return self._offsets[name]

    def row(self, fields: Mapping[str, Any]) -> Sequence[float]:
        """The operation's own part of the row. fields: its numbers by name, measured ones too."""
        if self._picked is not None:
            return self._picked(fields)
        return [number for slot in self.slots for number in slot.numbers(fields[slot.name])]

    @cached_property
    def _offsets(self) -> Mapping[str, int]:
        ends = itertools.accumulate((slot.length for slot in self.slots), initial=0)
        return {slot.name: start for slot, start in zip(self.slots, ends, strict=False)}

    @cached_property
    def _picked(self) -> Callable[[Mapping[str, Any]], tuple[float, ...]] | None:
        """All of them at once, where there are several and each stands for itself, as nearly always."""
        if len(self.slots) < 2 or any(slot.names or slot.length > 1 for slot in self.slots):
            return None
        return operator.itemgetter(*(slot.name for slot in self.slots))


@cache
def steps() -> Mapping[str, Opcode]:
    """The opcode of every operation on single pixels, by the operation's name."""
    found = [op for op in OPS.values() if isinstance(op.kind, Pixels | Statistic)]
    return MappingProxyType({op.name: _opcode(number, op, _function(op)) for number, op in enumerate(found)})


@cache
def means() -> Mapping[str, Opcode]:
    """The opcode of what every operation with a `Mean` averages, by the operation's name."""
    found = [
        (op, op.kind.measure.value)
        for op in OPS.values()
        if isinstance(op.kind, Statistic) and isinstance(op.kind.measure, Mean)
    ]
    return MappingProxyType({op.name: _opcode(number, op, value) for number, (op, value) in enumerate(found)})


def _function(op: Op) -> Function:
    assert isinstance(op.kind, Pixels | Statistic)
    return op.kind.function


def _opcode(number: int, op: Op, function: Function) -> Opcode:
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount]
    slots = tuple(_slot(op, name) for name in arguments if name not in FRAME)
    return Opcode(number, op.name, function, arguments, slots)


def _slot(op: Op, name: str) -> Slot:
    kind = dict(drawn_fields(op.params)).get(name)
    if isinstance(kind, Choice):
        return Slot(name, 1, kind.names)
    value = getattr(op.examples[0], name, None)
    return Slot(name, len(value) if kind is None and isinstance(value, tuple) else 1, ())
