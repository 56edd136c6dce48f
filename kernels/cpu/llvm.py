"""The words of `kernels.cpu.intrinsics` as LLVM instructions. Portable: no word names a CPU's own instruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from kernels.cpu.intrinsics import LANES

Value = Any
cgutils: Any = untyped_cgutils
"""Without annotations in numba."""
_I8, _I16, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


# ------------------------------------------------------------------------------------------------ one number
def _rounding(name: str) -> Any:
    def typed(context: Any, a: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_F32, [_F32]), f"llvm.{name}.f32")
            return builder.call(function, args)

        return types.float32(types.float32), generate

    return intrinsic(typed)


def _cast(source: Any, target: Any, how: Callable[[Any, Value], Value]) -> Any:
    def typed(context: Any, a: Any) -> Any:
        return target(source), lambda context, builder, signature, args: how(builder, args[0])

    return intrinsic(typed)


def _of_words(instruction: str) -> Any:
    def typed(context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            return getattr(builder, instruction)(*args)

        return types.uint32(types.uint32, types.uint32), generate

    return intrinsic(typed)


# ------------------------------------------------------------------------------------------------ sixteen at once
def _vector(element: Any, lanes: int = LANES) -> Any:
    return ir.VectorType(element, lanes)


def _same(number: float, element: Any = _F32, lanes: int = LANES) -> Any:
    return ir.Constant(_vector(element, lanes), [number] * lanes)


def _picked(builder: Any, a: Value, b: Value | None, places: Sequence[int]) -> Value:
    """Lanes of a, then b, at `places`."""
    other = ir.Constant(a.type, ir.Undefined) if b is None else b
    return builder.shuffle_vector(a, other, ir.Constant(ir.VectorType(_I32, len(places)), list(places)))


def _spread(builder: Any, number: Value, lanes: int) -> Value:
    one = builder.insert_element(ir.Constant(_vector(_F32, lanes), ir.Undefined), number, ir.Constant(_I32, 0))
    return _picked(builder, one, None, [0] * lanes)


def _called(builder: Any, name: str, *args: Value) -> Value:
    """A call of an LLVM function of vectors, such as llvm.rint.v16f32."""
    kind = args[0].type
    function = ir.FunctionType(kind, [kind] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.v{kind.count}f32"), args)


def _pointer(context: Any, builder: Any, kind: Any, array: Value, index: Value, vector: Any) -> Value:
    start = cgutils.create_struct_proxy(kind)(context, builder, value=array).data
    return builder.bitcast(builder.gep(start, [index]), ir.PointerType(vector))


class _Memory:
    """Loads and stores of vectors in the arguments of one word."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._context, self._builder, self._kinds, self._args = context, builder, signature.args, args

    def _at(self, number: int, index: Value, vector: Any) -> Value:
        return _pointer(self._context, self._builder, self._kinds[number], self._args[number], index, vector)

    def load(self, number: int, index: Value, vector: Any) -> Value:
        return self._builder.load(self._at(number, index, vector), align=1)

    def store(self, value: Value, number: int, index: Value) -> None:
        self._builder.store(value, self._at(number, index, value.type), align=1)


def _load_pixels(context: Any, source: Any, at: Any, red: Any, green: Any, blue: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        mixed = memory.load(0, args[1], _vector(_I8, 3 * LANES))
        for channel in range(3):
            levels = _picked(builder, mixed, None, range(channel, 3 * LANES, 3))
            numbers = builder.uitofp(builder.zext(levels, _vector(_I32)), _vector(_F32))
            # one step of Newton after the product: rounds as the division by 255 does, at a third of its cost
            first = builder.fmul(numbers, _same(1 / 255))
            rest = _called(builder, "fma", builder.fneg(first), _same(255.0), numbers)
            memory.store(_called(builder, "fma", rest, _same(1 / 255), first), 2 + channel, args[5])
        return context.get_dummy_value()

    return types.void(source, types.int64, red, green, blue, types.int64), generate


def _store_pixels(context: Any, red: Any, green: Any, blue: Any, at: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        planes = []
        for channel in range(3):
            levels = builder.fmul(memory.load(channel, args[3], _vector(_F32)), _same(255.0))
            whole = builder.fptosi(_called(builder, "rint", levels), _vector(_I32))
            planes.append(builder.trunc(whole, _vector(_I8)))
        two = _picked(builder, planes[0], planes[1], range(2 * LANES))
        third = _picked(builder, planes[2], None, [*range(LANES), *[0] * LANES])
        order = [place // 3 + (0, LANES, 2 * LANES)[place % 3] for place in range(3 * LANES)]
        memory.store(_picked(builder, two, third, order), 4, args[5])
        return context.get_dummy_value()

    return types.void(red, green, blue, types.int64, result, types.int64), generate


def _read_between(context: Any, source: Any, at: Any, stride: Any, ax: Any, ay: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        kind = {types.float32: _F32, types.uint16: _I16, types.uint8: _I8}[signature.args[0].dtype]

        def row(index: Value) -> Value:
            levels = memory.load(0, index, _vector(kind, 8))
            if kind is _F32:
                return levels
            return builder.uitofp(builder.zext(levels, _vector(_I32, 8)), _vector(_F32, 8))

        upper, lower = row(args[1]), row(builder.add(args[1], args[2]))
        down = builder.fadd(upper, builder.fmul(_spread(builder, args[4], 8), builder.fsub(lower, upper)))
        left, right = _picked(builder, down, None, (0, 1, 2, 2)), _picked(builder, down, None, (3, 4, 5, 5))
        between = builder.fadd(left, builder.fmul(_spread(builder, args[3], 4), builder.fsub(right, left)))
        memory.store(between, 5, args[6])
        return context.get_dummy_value()

    signature = types.void(source, types.int64, types.int64, types.float32, types.float32, result, types.int64)
    return signature, generate


def _fetch(context: Any, source: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], _I8)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, nearest, of_numbers = (ir.Constant(_I32, number) for number in (0, 3, 1))
        builder.call(function, [pointer, to_read, nearest, of_numbers])
        return context.get_dummy_value()

    return types.void(source, types.int64), generate


def _spread_pixels(context: Any, mixed: Any, at: Any, weight: Any, red: Any, green: Any, blue: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        pixels = memory.load(0, builder.mul(args[1], ir.Constant(_I64, 4)), _vector(_F32, 4 * LANES))
        weights = memory.load(2, args[1], _vector(_F32))
        for channel in range(3):
            values = builder.fmul(_picked(builder, pixels, None, range(channel, 4 * LANES, 4)), weights)
            below = builder.fcmp_ordered("<", values, _same(1.0))
            memory.store(builder.select(below, values, _same(1.0)), 3 + channel, args[1])
        return context.get_dummy_value()

    return types.void(mixed, types.int64, weight, red, green, blue), generate


def _halve_pixels(context: Any, source: Any, at: Any, stride: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)

        def row(index: Value) -> Value:
            return builder.zext(memory.load(0, index, _vector(_I8, 6 * LANES)), _vector(_I16, 6 * LANES))

        sums = builder.add(row(args[1]), row(builder.add(args[1], args[2])))
        even = [6 * (place // 3) + place % 3 for place in range(3 * LANES)]
        odd = [place + 3 for place in even]
        boxes = builder.add(_picked(builder, sums, None, even), _picked(builder, sums, None, odd))
        memory.store(_summed(builder, boxes, signature.args[3]), 3, args[4])
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, result, types.int64), generate


def _pair_pixels(context: Any, source: Any, at: Any, stride: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)

        def row(index: Value) -> Value:
            return builder.zext(memory.load(0, index, _vector(_I8, 3 * LANES)), _vector(_I16, 3 * LANES))

        upper, lower = args[1], builder.add(args[1], args[2])
        three = ir.Constant(_I64, 3)
        left = builder.add(row(upper), row(lower))
        right = builder.add(row(builder.add(upper, three)), row(builder.add(lower, three)))
        memory.store(_summed(builder, builder.add(left, right), signature.args[3]), 3, args[4])
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, result, types.int64), generate


def _summed(builder: Any, sums: Value, kind: Any) -> Value:
    """Sums of 16 bits as what an array of `kind` holds."""
    return builder.uitofp(sums, _vector(_F32, 3 * LANES)) if kind.dtype == types.float32 else sums


def _weigh(vectors: int) -> Any:
    """The word that sums so many vectors at once: sums that do not wait for each other keep the processor busy."""

    def typed(context: Any, result: Any, to: Any, source: Any, at: Any, offsets: Any, weights: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            memory = _Memory(context, builder, signature, args)
            count = cgutils.create_struct_proxy(signature.args[5])(context, builder, value=args[5]).nitems
            totals = [cgutils.alloca_once_value(builder, _same(0.0)) for _ in range(vectors)]
            starts = [ir.Constant(_I64, LANES * place) for place in range(vectors)]
            one = ir.VectorType(_F32, 1)
            with cgutils.for_range(builder, count) as loop:
                weight = builder.extract_element(memory.load(5, loop.index, one), ir.Constant(_I32, 0))
                offset = builder.extract_element(memory.load(4, loop.index, ir.VectorType(_I64, 1)), ir.Constant(_I32, 0))
                weights = _spread(builder, weight, LANES)
                place = builder.add(args[3], offset)
                for total, start in zip(totals, starts, strict=True):
                    values = memory.load(2, builder.add(place, start), _vector(_F32))
                    builder.store(_called(builder, "fma", weights, values, builder.load(total)), total)
            for total, start in zip(totals, starts, strict=True):
                memory.store(builder.load(total), 0, builder.add(args[1], start))
            return context.get_dummy_value()

        return types.void(result, types.int64, source, types.int64, offsets, weights), generate

    return intrinsic(typed)


LLVM: dict[str, Any] = {
    "floor32": _rounding("floor"),
    "rint32": _rounding("rint"),
    "sqrt32": _rounding("sqrt"),
    "float_bits": _cast(types.float32, types.int32, lambda builder, a: builder.bitcast(a, _I32)),
    "bits_float": _cast(types.int32, types.float32, lambda builder, a: builder.bitcast(a, _F32)),
    "truncated": _cast(types.float32, types.int32, lambda builder, a: builder.fptosi(a, _I32)),
    "word_float": _cast(types.uint32, types.float32, lambda builder, a: builder.sitofp(a, _F32)),
    "word_mul": _of_words("mul"),
    "word_add": _of_words("add"),
    "word_xor": _of_words("xor"),
    "word_shift": _of_words("lshr"),
    "load_pixels": intrinsic(_load_pixels),
    "store_pixels": intrinsic(_store_pixels),
    "read_between": intrinsic(_read_between),
    "fetch": intrinsic(_fetch),
    "spread_pixels": intrinsic(_spread_pixels),
    "halve_pixels": intrinsic(_halve_pixels),
    "pair_pixels": intrinsic(_pair_pixels),
    "weigh_block": _weigh(4),
    "weigh_values": _weigh(1),
}
"""Every word of `kernels.cpu.intrinsics` by name."""
