"""The words of `kernels.cpu.intrinsics` as LLVM instructions. Portable: no word names a CPU's own instruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from kernels.cpu.intrinsics import LANES

Value = Any
cgutils: Any = untyped_cgutils
"""Without annotations in numba."""
_FRACTION = float(np.float32(1 / 255)), 1 / 255 - float(np.float32(1 / 255))
"""1/255 as a float and what that lacks."""
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


def _joined(builder: Any, a: Value, b: Value) -> Value:
    """All lanes of a, then all of b."""
    return _picked(builder, a, b, range(2 * a.type.count))


def _spread(builder: Any, number: Value, lanes: int) -> Value:
    one = builder.insert_element(ir.Constant(_vector(number.type, lanes), ir.Undefined), number, ir.Constant(_I32, 0))
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
        # four pixels to a quarter of the vector: the processor shuffles bytes within quarters at the least cost; the
        # last quarter begins early, so that nothing is read beyond the sixteenth pixel
        starts, early = (0, 12, 24, 32), (0, 0, 0, 4)
        parts = [memory.load(0, builder.add(args[1], ir.Constant(_I64, start)), _vector(_I8)) for start in starts]
        mixed = _joined(builder, _joined(builder, *parts[:2]), _joined(builder, *parts[2:]))
        nothing = ir.Constant(mixed.type, None)
        for channel in range(3):
            places = [
                16 * quarter + early[quarter] + 3 * pixel + channel if byte == 0 else 64
                for quarter in range(4)
                for pixel in range(4)
                for byte in range(4)
            ]
            levels = builder.bitcast(_picked(builder, mixed, nothing, places), _vector(_I32))
            numbers = builder.sitofp(levels, _vector(_F32))
            # the product with 1/255 in two parts, the small one first: rounds as the division by 255 does
            rest = builder.fmul(numbers, _same(_FRACTION[1]))
            memory.store(_called(builder, "fma", numbers, _same(_FRACTION[0]), rest), 2 + channel, args[5])
        return context.get_dummy_value()

    return types.void(source, types.int64, red, green, blue, types.int64), generate


def _store_pixels(context: Any, red: Any, green: Any, blue: Any, at: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        pixels = ir.Constant(_vector(_I32), None)
        for channel in range(3):
            levels = builder.fmul(memory.load(channel, args[3], _vector(_F32)), _same(255.0))
            whole = builder.fptosi(_called(builder, "rint", levels), _vector(_I32))
            pixels = builder.or_(pixels, builder.shl(whole, _same(8 * channel, _I32)))
        order = [place // 3 * 4 + place % 3 for place in range(3 * LANES)]
        memory.store(_picked(builder, builder.bitcast(pixels, _vector(_I8, 4 * LANES)), None, order), 4, args[5])
        return context.get_dummy_value()

    return types.void(red, green, blue, types.int64, result, types.int64), generate


def _step_along(context: Any, result: Any, at: Any, first: Any, slope: Any, start: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        lanes = ir.Constant(_vector(_I32), list(range(LANES)))
        columns = builder.add(_spread(builder, builder.trunc(args[2], _I32), LANES), lanes)
        centres = builder.fadd(builder.sitofp(columns, _vector(_F32)), _same(0.5))
        slope, start = (_spread(builder, number, LANES) for number in args[3:])
        memory.store(_called(builder, "fma", slope, centres, start), 0, args[1])
        return context.get_dummy_value()

    return types.void(result, types.int64, types.int64, types.float32, types.float32), generate


def _read_pixels(
    context: Any,
    source: Any,
    stride: Any,
    offsets: Any,
    at: Any,
    scratch: Any,
    across: Any,
    down: Any,
    weight: Any,
    red: Any,
    green: Any,
    blue: Any,
    to: Any,
) -> Any:
    whole = types.int64
    signature = types.void(source, whole, offsets, whole, scratch, whole, whole, whole, red, green, blue, whole)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        rows = (_float_rows if signature.args[0].dtype == types.float32 else _byte_rows)(memory, builder, args)
        across, weights = memory.load(4, args[5], _vector(_F32)), memory.load(4, args[7], _vector(_F32))
        for channel in range(3):
            left, right = rows[channel], rows[3 + channel]
            between = builder.fadd(left, builder.fmul(across, builder.fsub(right, left)))
            values = builder.fmul(between, weights)
            below = builder.fcmp_ordered("<", values, _same(1.0))
            memory.store(builder.select(below, values, _same(1.0)), 8 + channel, args[11])
        return context.get_dummy_value()

    return signature, generate


def _byte_rows(memory: _Memory, builder: Any, args: Any) -> list[Value]:
    """For sixteen pixels, six channel values between the upper row's and the lower's: of the left pixel, of the right."""
    down = memory.load(4, args[6], _vector(_F32))
    words = []
    for shift in (ir.Constant(_I64, 0), args[1]):
        halves = [builder.bitcast(half, _vector(_I32)) for half in _gathered(memory, builder, args, shift)]
        words += [_picked(builder, *halves, range(odd, 2 * LANES, 2)) for odd in range(2)]
    rows = []
    for place in range(6):
        upper, lower = (_level(builder, words[row + place // 4], place % 4) for row in (0, 2))
        rows.append(builder.fadd(upper, builder.fmul(down, builder.fsub(lower, upper))))
    return rows


def _level(builder: Any, words: Value, byte: int) -> Value:
    shifted = builder.lshr(words, _same(8 * byte, _I32))
    return builder.sitofp(builder.and_(shifted, _same(255, _I32)), _vector(_F32))


def _gathered(memory: _Memory, builder: Any, args: Any, shift: Value) -> list[Value]:
    """Eight bytes at each of sixteen offsets, further by `shift`: two vectors of eight words."""
    import os
    offsets = _safe(memory, builder, args)
    start = builder.ptrtoint(memory._at(0, shift, _I8), _I64)
    halves = []
    for half in range(2):
        part = builder.sext(_picked(builder, offsets, None, range(8 * half, 8 * half + 8)), _vector(_I64, 8))
        if os.environ.get("RG")=="plain":
            place = builder.extract_element(part, ir.Constant(_I32, 0))
            halves.append(memory.load(0, builder.add(place, shift), _vector(_I64, 8)))
            continue
        if os.environ.get("RG")=="scalar":
            words = ir.Constant(_vector(_I64, 8), ir.Undefined)
            for lane in range(8):
                place = builder.extract_element(part, ir.Constant(_I32, lane))
                word = memory.load(0, builder.add(place, shift), _I64)
                words = builder.insert_element(words, word, ir.Constant(_I32, lane))
            halves.append(words)
            continue
        spread = builder.insert_element(ir.Constant(_vector(_I64, 8), ir.Undefined), start, ir.Constant(_I32, 0))
        spread = _picked(builder, spread, None, [0] * 8)
        pointers = builder.inttoptr(builder.add(part, spread), _vector(ir.PointerType(_I8), 8))
        kind = ir.FunctionType(_vector(_I64, 8), [pointers.type, _I32, _vector(ir.IntType(1), 8), _vector(_I64, 8)])
        gather = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.gather.v8i64.v8p0")
        everywhere = _same(1, ir.IntType(1), 8)
        halves.append(builder.call(gather, [pointers, ir.Constant(_I32, 1), everywhere, ir.Constant(_vector(_I64, 8), ir.Undefined)]))
    return halves


def _safe(memory: _Memory, builder: Any, args: Any) -> Value:
    """The offsets of sixteen pixels, 0 for those below."""
    offsets = memory.load(2, args[3], _vector(_I32))
    nothing = ir.Constant(offsets.type, None)
    return builder.select(builder.icmp_signed(">", offsets, nothing), offsets, nothing)


def _float_rows(memory: _Memory, builder: Any, args: Any) -> list[Value]:
    """The same of floats, pixel by pixel; the pixels are put so that no value leaves its quarter of a vector."""
    pixels = []
    offsets = _safe(memory, builder, args)
    for lane in range(LANES):
        place = builder.sext(builder.extract_element(offsets, ir.Constant(_I32, lane)), _I64)
        upper = memory.load(0, place, _vector(_F32, 8))
        lower = memory.load(0, builder.add(place, args[1]), _vector(_F32, 8))
        down = _spread(builder, memory.load(4, builder.add(args[6], ir.Constant(_I64, lane)), _F32), 8)
        pixels.append(builder.fadd(upper, builder.fmul(down, builder.fsub(lower, upper))))
    rows = []
    halves = []
    for half in range(2):
        # pixel p of quarter q is number 4 q + p
        def quarter(number, half=half):
            return _picked(builder, pixels[number], None, [3 * half, 3 * half + 1, 3 * half + 2, 3 * half + 2])
        tuples = []
        for place in range(4):
            q = [quarter(4 * n + place) for n in range(4)]
            tuples.append(_joined(builder, _joined(builder, q[0], q[1]), _joined(builder, q[2], q[3])))
        def mixed(a, b, places):
            return _picked(builder, a, b, [4 * q + (p if p < 4 else p - 4 + LANES) for q in range(4) for p in places])
        low01, low23 = mixed(tuples[0], tuples[1], (0, 4, 1, 5)), mixed(tuples[2], tuples[3], (0, 4, 1, 5))
        high01, high23 = mixed(tuples[0], tuples[1], (2, 6, 3, 7)), mixed(tuples[2], tuples[3], (2, 6, 3, 7))
        rows += [mixed(low01, low23, (0, 1, 4, 5)), mixed(low01, low23, (2, 3, 6, 7)), mixed(high01, high23, (0, 1, 4, 5))]
    return rows


def _halve_pixels(context: Any, source: Any, at: Any, stride: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)

        def row(index: Value) -> Value:
            return builder.zext(memory.load(0, index, _vector(_I8, 6 * LANES)), _vector(_I16, 6 * LANES))

        sums = builder.add(row(args[1]), row(builder.add(args[1], args[2])))
        even = [6 * (place // 3) + place % 3 for place in range(3 * LANES)]
        odd = [place + 3 for place in even]
        boxes = builder.add(_picked(builder, sums, None, even), _picked(builder, sums, None, odd))
        memory.store(builder.uitofp(boxes, _vector(_F32, 3 * LANES)), 3, args[4])
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, result, types.int64), generate


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
    "step_along": intrinsic(_step_along),
    "read_pixels": intrinsic(_read_pixels),
    "halve_pixels": intrinsic(_halve_pixels),
    "weigh_block": _weigh(4),
    "weigh_values": _weigh(1),
}
"""Every word of `kernels.cpu.intrinsics` by name."""
