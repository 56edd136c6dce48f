"""The words of `kernels.cpu.intrinsics` as LLVM instructions. Portable: no word names a CPU's own instruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from kernels.cpu.intrinsics import LANES, STRETCH

Value = Any
cgutils: Any = untyped_cgutils
"""Without annotations in numba."""
_FRACTION = float(np.float32(1 / 255)), 1 / 255 - float(np.float32(1 / 255))
"""1/255 as a float and what that lacks."""
_I8, _I16, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
_ELEMENTS = {types.uint8: _I8, types.uint16: _I16, types.float32: _F32}
_FEW = 4
"""Places of the longest sums that are written out: a loop over them costs more than they do."""


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


class _Memory:
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
        rows = _ROWS[signature.args[0].dtype](memory, builder, args)
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
    rows = []
    for further in (ir.Constant(_I64, 0), args[1]):
        words = _gathered(memory, builder, args, further, _I8, 2)
        rows.append([_above_2_23(builder, words[place // 4], place % 4) for place in range(6)])
    return _between_rows(memory, builder, args, *rows)


def _sum_rows(memory: _Memory, builder: Any, args: Any) -> list[Value]:
    """The same of numbers of 16 bits."""
    base, low, sixteen = (_same(number, _I32) for number in (0x4B000000, 0xFFFF, 16))
    rows = []
    for further in (ir.Constant(_I64, 0), args[1]):
        words = _gathered(memory, builder, args, further, _I16, 2)
        words += _gathered(memory, builder, args, builder.add(further, ir.Constant(_I64, 4)), _I16, 1)
        # 2^23 and the number, as in `_above_2_23`
        numbers = [half for word in words for half in (builder.and_(word, low), builder.lshr(word, sixteen))]
        rows.append([builder.bitcast(builder.or_(number, base), _vector(_F32)) for number in numbers])
    return _between_rows(memory, builder, args, *rows)


def _between_rows(memory: _Memory, builder: Any, args: Any, upper: list[Value], lower: list[Value]) -> list[Value]:
    """Between numbers that 2^23 was added to: their difference is the same."""
    down = memory.load(4, args[6], _vector(_F32))
    return [
        builder.fadd(builder.fsub(above, _same(2.0**23)), builder.fmul(down, builder.fsub(below, above)))
        for above, below in zip(upper, lower, strict=True)
    ]


def _above_2_23(builder: Any, words: Value, byte: int) -> Value:
    """2^23 and a byte of each word: the bytes of that float with the lowest one replaced, which is no conversion."""
    base = builder.bitcast(_same(2.0**23), _vector(_I8, 4 * LANES))
    places = [place + byte if place % 4 == 0 else 4 * LANES + place for place in range(4 * LANES)]
    mixed = _picked(builder, builder.bitcast(words, _vector(_I8, 4 * LANES)), base, places)
    return builder.bitcast(mixed, _vector(_F32))


def _gathered(memory: _Memory, builder: Any, args: Any, further: Value, element: Any, count: int) -> list[Value]:
    """One or two (`count`) words at each of the sixteen offsets, `further` elements on."""
    held = _I64 if count == 2 else _I32
    start = builder.ptrtoint(memory.pointer(0, further, _I8), _I64)
    found = []
    for first in (0, 8):
        offsets = memory.load(2, builder.add(args[3], ir.Constant(_I64, first)), _vector(_I32, 8))
        away = builder.sext(_at_least_0(builder, offsets), _vector(_I64, 8))
        away = builder.mul(away, _same(element.width // 8, _I64, 8))
        pointers = builder.inttoptr(builder.add(away, _spread(builder, start, 8)), _vector(ir.PointerType(_I8), 8))
        everywhere, nothing = _same(1, ir.IntType(1), 8), ir.Constant(_vector(held, 8), ir.Undefined)
        kind = ir.FunctionType(nothing.type, [pointers.type, _I32, everywhere.type, nothing.type])
        gather = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.gather.v8i{held.width}.v8p0")
        words = builder.call(gather, [pointers, ir.Constant(_I32, 1), everywhere, nothing])
        found.append(builder.bitcast(words, _vector(_I32, 8 * count)))
    return [_picked(builder, found[0], found[1], range(place, LANES * count, count)) for place in range(count)]


def _at_least_0(builder: Any, numbers: Value) -> Value:
    nothing = ir.Constant(numbers.type, None)
    return builder.select(builder.icmp_signed(">", numbers, nothing), numbers, nothing)


def _float_rows(memory: _Memory, builder: Any, args: Any) -> list[Value]:
    """The same of floats: pixel by pixel, then each channel of the sixteen side by side."""
    offsets = _at_least_0(builder, memory.load(2, args[3], _vector(_I32)))
    pixels = []
    for lane in range(LANES):
        at = builder.sext(builder.extract_element(offsets, ir.Constant(_I32, lane)), _I64)
        upper, lower = (memory.load(0, place, _vector(_F32, 8)) for place in (at, builder.add(at, args[1])))
        down = memory.load(4, builder.add(args[6], ir.Constant(_I64, lane)), _F32)
        pixels.append(builder.fadd(upper, builder.fmul(_spread(builder, down, 8), builder.fsub(lower, upper))))
    # number p of each quarter of vector n is pixel 4 p + n: so none has to leave its quarter when they are turned round
    rows = []
    for first in (0, 3):
        quarters = [_picked(builder, pixel, None, [first, first + 1, first + 2, first + 2]) for pixel in pixels]
        a, b, c, d = (
            _joined(
                builder,
                _joined(builder, quarters[n], quarters[n + 4]),
                _joined(builder, quarters[n + 8], quarters[n + 12]),
            )
            for n in range(4)
        )
        reds_greens = _in_quarters(builder, a, b, (0, 4, 1, 5)), _in_quarters(builder, c, d, (0, 4, 1, 5))
        blues = _in_quarters(builder, a, b, (2, 6, 3, 7)), _in_quarters(builder, c, d, (2, 6, 3, 7))
        rows += [
            _in_quarters(builder, reds_greens[0], reds_greens[1], (0, 1, 4, 5)),
            _in_quarters(builder, reds_greens[0], reds_greens[1], (2, 3, 6, 7)),
            _in_quarters(builder, blues[0], blues[1], (0, 1, 4, 5)),
        ]
    return rows


def _in_quarters(builder: Any, a: Value, b: Value, places: Sequence[int]) -> Value:
    """Of every four lanes of a, then b, those at `places`."""
    return _picked(builder, a, b, [4 * part + place + (place > 3) * (LANES - 4) for part in range(4) for place in places])


_ROWS: dict[Any, Callable[[_Memory, Any, Any], list[Value]]] = {
    types.uint8: _byte_rows,
    types.uint16: _sum_rows,
    types.float32: _float_rows,
}


class _Sums:
    """Sums of values of the first argument of a word, written to its last one, a stretch at a time."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._memory, self._builder = _Memory(context, builder, signature, args), builder
        self._held, summed = (_ELEMENTS[kind.dtype] for kind in (signature.args[0], signature.args[-1]))
        self._count, self._result = args[-2], len(args) - 1
        self.kind, self._is_float = _vector(summed, STRETCH), summed is _F32
        self.add = builder.fadd if self._is_float else builder.add
        self.subtract = builder.fsub if self._is_float else builder.sub
        self.multiply = builder.fmul if self._is_float else builder.mul

    def values(self, at: Value) -> Value:
        found = self._memory.load(0, at, _vector(self._held, STRETCH))
        if found.type == self.kind:
            return found
        return (self._builder.uitofp if self._is_float else self._builder.zext)(found, self.kind)

    def spread(self, number: Value) -> Value:
        """A whole number in every lane."""
        kind = self.kind.element
        one = self._builder.sitofp(number, kind) if self._is_float else self._builder.trunc(number, kind)
        return _spread(self._builder, one, STRETCH)

    def written(self, sum_at: Callable[[Value], Value]) -> None:
        """sum_at(place of the first value) for all stretches; the last one begins early."""
        builder, stretch = self._builder, ir.Constant(_I64, STRETCH)
        last = builder.sub(self._count, stretch)
        count = builder.udiv(builder.add(self._count, ir.Constant(_I64, STRETCH - 1)), stretch)
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, stretch)
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            self._memory.store(sum_at(at), self._result, at)


def _sum_places(context: Any, source: Any, apart: Any, places: Any, weight: Any, count: Any, result: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        _, apart, places, weight, _, _ = args
        sums = _Sums(context, builder, signature, args)
        total = cgutils.alloca_once(builder, sums.kind)
        weights, is_weighed = sums.spread(weight), builder.icmp_signed("!=", weight, ir.Constant(_I64, 1))

        def values(at: Value, place: Value) -> Value:
            return sums.values(builder.add(at, builder.mul(place, apart)))

        def few(at: Value, number: int, weighed: bool) -> Value:
            found = [values(at, ir.Constant(_I64, place)) for place in range(number)]
            heavy = found[:1] if number == 2 else found[1:-1]
            if not weighed or not heavy:
                return reduce(sums.add, found)
            light = found[1:] if number == 2 else [found[0], found[-1]]
            return reduce(sums.add, [sums.multiply(reduce(sums.add, heavy), weights), *light])

        def many(at: Value) -> Value:
            builder.store(ir.Constant(sums.kind, None), total)
            with cgutils.for_range(builder, places) as place:
                builder.store(sums.add(builder.load(total), values(at, place.index)), total)
            once, end = builder.load(total), builder.sub(places, ir.Constant(_I64, 1))
            outermost = sums.add(sums.values(at), values(at, end))
            return sums.add(sums.multiply(sums.subtract(once, outermost), weights), outermost)

        # loops of their own for short sums, or their places would be counted for every stretch
        for number in range(1, _FEW + 1):
            is_so = builder.icmp_signed("==", places, ir.Constant(_I64, number))
            with builder.if_then(is_so), builder.if_else(is_weighed) as (often, once):
                for weighed, branch in ((True, often), (False, once)):
                    with branch:
                        sums.written(partial(few, number=number, weighed=weighed))
        with builder.if_then(builder.icmp_signed(">", places, ir.Constant(_I64, _FEW))):
            sums.written(many)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(source, whole, whole, whole, whole, result), generate


def _pick_pixels(context: Any, source: Any, apart: Any, count: Any, result: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = _Memory(context, builder, signature, args)
        # four values, the last of which the next pixel writes over: half the loads and stores
        four = _vector(_ELEMENTS[signature.args[0].dtype], 4)
        with cgutils.for_range(builder, args[2]) as pixel:
            value = memory.load(0, builder.mul(pixel.index, args[1]), four)
            memory.store(value, 3, builder.mul(pixel.index, ir.Constant(_I64, 3)))
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, result), generate


def _sum_fours(context: Any, source: Any, stride: Any, count: Any, result: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        sums, three = _Sums(context, builder, signature, args), ir.Constant(_I64, 3)

        def four(at: Value) -> Value:
            below = builder.add(at, args[1])
            return reduce(sums.add, [sums.values(start) for at in (at, below) for start in (at, builder.add(at, three))])

        sums.written(four)
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, result), generate


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
    "pick_pixels": intrinsic(_pick_pixels),
    "sum_fours": intrinsic(_sum_fours),
    "sum_places": intrinsic(_sum_places),
    "weigh_block": _weigh(4),
    "weigh_values": _weigh(1),
}
"""Every word of `kernels.cpu.intrinsics` by name."""
