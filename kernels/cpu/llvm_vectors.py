"""Vectors in LLVM instructions: lanes picked, joined and spread, loads and stores; for the words of `kernels.cpu`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped_cgutils

from kernels.cpu.intrinsics import LANES

Value = Any
cgutils: Any = untyped_cgutils
"""Without annotations in numba."""
I8, I16, I32, I64, F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
ELEMENTS = {types.uint8: I8, types.uint16: I16, types.float32: F32}


def vector(element: Any, lanes: int = LANES) -> Any:
    return ir.VectorType(element, lanes)


def same(number: float, element: Any = F32, lanes: int = LANES) -> Any:
    return ir.Constant(vector(element, lanes), [number] * lanes)


def picked(builder: Any, a: Value, b: Value | None, places: Sequence[int]) -> Value:
    """Lanes of a, then b, at `places`."""
    other = ir.Constant(a.type, ir.Undefined) if b is None else b
    return builder.shuffle_vector(a, other, ir.Constant(ir.VectorType(I32, len(places)), list(places)))


def joined(builder: Any, a: Value, b: Value) -> Value:
    """All lanes of a, then all of b."""
    return picked(builder, a, b, range(2 * a.type.count))


def spread(builder: Any, number: Value, lanes: int) -> Value:
    one = builder.insert_element(ir.Constant(vector(number.type, lanes), ir.Undefined), number, ir.Constant(I32, 0))
    return picked(builder, one, None, [0] * lanes)


def called(builder: Any, name: str, *args: Value) -> Value:
    """A call of an LLVM function of vectors, such as llvm.rint.v16f32."""
    kind = args[0].type
    function = ir.FunctionType(kind, [kind] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.v{kind.count}f32"), args)


class Memory:
    """Loads and stores of vectors in the arguments of one word."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._context, self._builder, self._kinds, self._args = context, builder, signature.args, args

    def pointer(self, number: int, index: Value, kind: Any) -> Value:
        """To element `index` of an argument, counted flat, where a value of `kind` begins."""
        array = cgutils.create_struct_proxy(self._kinds[number])(self._context, self._builder, value=self._args[number])
        return self._builder.bitcast(self._builder.gep(array.data, [index]), ir.PointerType(kind))

    def load(self, number: int, index: Value, kind: Any) -> Value:
        return self._builder.load(self.pointer(number, index, kind), align=1)

    def store(self, value: Value, number: int, index: Value) -> None:
        self._builder.store(value, self.pointer(number, index, value.type), align=1)
