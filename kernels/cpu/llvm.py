"""The words of `kernels.cpu.intrinsics` as LLVM instructions. Portable: no word names a CPU's own instruction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.cpu.intrinsics import LANES, STRETCH
from kernels.cpu.llvm_reads import read_pixels
from kernels.cpu.llvm_vectors import (
    ELEMENTS,
    F32,
    I8,
    I32,
    I64,
    Memory,
    Value,
    called,
    cgutils,
    joined,
    picked,
    same,
    spread,
    vector,
)

_FRACTION = float(np.float32(1 / 255)), 1 / 255 - float(np.float32(1 / 255))
"""1/255 as a float and what that lacks."""
_FEW = 4
"""Places of the longest sums that are written out: a loop over them costs more than they do."""


# ------------------------------------------------------------------------------------------------ one number
def _rounding(name: str) -> Any:
    def typed(context: Any, a: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(F32, [F32]), f"llvm.{name}.f32")
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
def _load_pixels(context: Any, source: Any, at: Any, red: Any, green: Any, blue: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = Memory(context, builder, signature, args)
        # four pixels to a quarter of the vector: the processor shuffles bytes within quarters at the least cost; the
        # last quarter begins early, so that nothing is read beyond the sixteenth pixel
        starts, early = (0, 12, 24, 32), (0, 0, 0, 4)
        parts = [memory.load(0, builder.add(args[1], ir.Constant(I64, start)), vector(I8)) for start in starts]
        mixed = joined(builder, joined(builder, *parts[:2]), joined(builder, *parts[2:]))
        nothing = ir.Constant(mixed.type, None)
        for channel in range(3):
            places = [
                16 * quarter + early[quarter] + 3 * pixel + channel if byte == 0 else 64
                for quarter in range(4)
                for pixel in range(4)
                for byte in range(4)
            ]
            levels = builder.bitcast(picked(builder, mixed, nothing, places), vector(I32))
            numbers = builder.sitofp(levels, vector(F32))
            # the product with 1/255 in two parts, the small one first: rounds as the division by 255 does
            rest = builder.fmul(numbers, same(_FRACTION[1]))
            memory.store(called(builder, "fma", numbers, same(_FRACTION[0]), rest), 2 + channel, args[5])
        return context.get_dummy_value()

    return types.void(source, types.int64, red, green, blue, types.int64), generate


def _store_pixels(context: Any, red: Any, green: Any, blue: Any, at: Any, result: Any, to: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = Memory(context, builder, signature, args)
        pixels = ir.Constant(vector(I32), None)
        for channel in range(3):
            levels = builder.fmul(memory.load(channel, args[3], vector(F32)), same(255.0))
            whole = builder.fptosi(called(builder, "rint", levels), vector(I32))
            pixels = builder.or_(pixels, builder.shl(whole, same(8 * channel, I32)))
        order = [place // 3 * 4 + place % 3 for place in range(3 * LANES)]
        memory.store(picked(builder, builder.bitcast(pixels, vector(I8, 4 * LANES)), None, order), 4, args[5])
        return context.get_dummy_value()

    return types.void(red, green, blue, types.int64, result, types.int64), generate


def _step_along(context: Any, result: Any, at: Any, first: Any, slope: Any, start: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = Memory(context, builder, signature, args)
        lanes = ir.Constant(vector(I32), list(range(LANES)))
        columns = builder.add(spread(builder, builder.trunc(args[2], I32), LANES), lanes)
        centres = builder.fadd(builder.sitofp(columns, vector(F32)), same(0.5))
        slope, start = (spread(builder, number, LANES) for number in args[3:])
        memory.store(called(builder, "fma", slope, centres, start), 0, args[1])
        return context.get_dummy_value()

    return types.void(result, types.int64, types.int64, types.float32, types.float32), generate


class _Sums:
    """Sums of values of the first argument of a word, written to its last one, a stretch at a time."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._memory, self._builder = Memory(context, builder, signature, args), builder
        self._held, summed = (ELEMENTS[kind.dtype] for kind in (signature.args[0], signature.args[-1]))
        self._count, self._result = args[-2], len(args) - 1
        self.kind, self._is_float = vector(summed, STRETCH), summed is F32
        self.add = builder.fadd if self._is_float else builder.add
        self.subtract = builder.fsub if self._is_float else builder.sub
        self.multiply = builder.fmul if self._is_float else builder.mul

    def values(self, at: Value) -> Value:
        found = self._memory.load(0, at, vector(self._held, STRETCH))
        if found.type == self.kind:
            return found
        return (self._builder.uitofp if self._is_float else self._builder.zext)(found, self.kind)

    def spread(self, number: Value) -> Value:
        """A whole number in every lane."""
        kind = self.kind.element
        one = self._builder.sitofp(number, kind) if self._is_float else self._builder.trunc(number, kind)
        return spread(self._builder, one, STRETCH)

    def written(self, sum_at: Callable[[Value], Value]) -> None:
        """sum_at(place of the first value) for all stretches; the last one begins early."""
        builder, stretch = self._builder, ir.Constant(I64, STRETCH)
        last = builder.sub(self._count, stretch)
        count = builder.udiv(builder.add(self._count, ir.Constant(I64, STRETCH - 1)), stretch)
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, stretch)
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            self._memory.store(sum_at(at), self._result, at)


def _sum_places(context: Any, source: Any, apart: Any, places: Any, weight: Any, count: Any, result: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        _, apart, places, weight, _, _ = args
        sums = _Sums(context, builder, signature, args)
        total = cgutils.alloca_once(builder, sums.kind)
        weights, is_weighed = sums.spread(weight), builder.icmp_signed("!=", weight, ir.Constant(I64, 1))

        def values(at: Value, place: Value) -> Value:
            return sums.values(builder.add(at, builder.mul(place, apart)))

        def few(at: Value, number: int, weighed: bool) -> Value:
            found = [values(at, ir.Constant(I64, place)) for place in range(number)]
            heavy = found[:1] if number == 2 else found[1:-1]
            if not weighed or not heavy:
                return reduce(sums.add, found)
            light = found[1:] if number == 2 else [found[0], found[-1]]
            return reduce(sums.add, [sums.multiply(reduce(sums.add, heavy), weights), *light])

        def many(at: Value) -> Value:
            builder.store(ir.Constant(sums.kind, None), total)
            with cgutils.for_range(builder, places) as place:
                builder.store(sums.add(builder.load(total), values(at, place.index)), total)
            once, end = builder.load(total), builder.sub(places, ir.Constant(I64, 1))
            outermost = sums.add(sums.values(at), values(at, end))
            return sums.add(sums.multiply(sums.subtract(once, outermost), weights), outermost)

        # loops of their own for short sums, or their places would be counted for every stretch
        for number in range(1, _FEW + 1):
            is_so = builder.icmp_signed("==", places, ir.Constant(I64, number))
            with builder.if_then(is_so), builder.if_else(is_weighed) as (often, once):
                for weighed, branch in ((True, often), (False, once)):
                    with branch:
                        sums.written(partial(few, number=number, weighed=weighed))
        with builder.if_then(builder.icmp_signed(">", places, ir.Constant(I64, _FEW))):
            sums.written(many)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(source, whole, whole, whole, whole, result), generate


def _pick_pixels(context: Any, source: Any, apart: Any, count: Any, result: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        memory = Memory(context, builder, signature, args)
        # four values, the last of which the next pixel writes over: half the loads and stores
        four = vector(ELEMENTS[signature.args[0].dtype], 4)
        with cgutils.for_range(builder, args[2]) as pixel:
            value = memory.load(0, builder.mul(pixel.index, args[1]), four)
            memory.store(value, 3, builder.mul(pixel.index, ir.Constant(I64, 3)))
        return context.get_dummy_value()

    return types.void(source, types.int64, types.int64, result), generate


def _sum_fours(context: Any, source: Any, stride: Any, column_weight: Any, row_weight: Any, count: Any, result: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
        _, stride, column_weight, row_weight, _, _ = args
        sums, one, three = _Sums(context, builder, signature, args), ir.Constant(I64, 1), ir.Constant(I64, 3)
        along, down = sums.spread(column_weight), sums.spread(row_weight)

        def four(at: Value, weighed: bool) -> Value:
            upper, lower = (
                [sums.values(place), sums.values(builder.add(place, three))] for place in (at, builder.add(at, stride))
            )
            if weighed:
                upper = [sums.multiply(value, down) for value in upper]
            left, right = (sums.add(*pair) for pair in zip(upper, lower, strict=True))
            return sums.add(sums.multiply(left, along) if weighed else left, right)

        is_weighed = builder.or_(*(builder.icmp_signed("!=", weight, one) for weight in (column_weight, row_weight)))
        with builder.if_else(is_weighed) as (often, once):
            for weighed, branch in ((True, often), (False, once)):
                with branch:
                    sums.written(partial(four, weighed=weighed))
        return context.get_dummy_value()

    whole = types.int64
    return types.void(source, whole, whole, whole, whole, result), generate


def _weigh(vectors: int) -> Any:
    """The word that sums so many vectors at once: sums that do not wait for each other keep the processor busy."""

    def typed(context: Any, result: Any, to: Any, source: Any, at: Any, offsets: Any, weights: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Value:
            memory = Memory(context, builder, signature, args)
            count = cgutils.create_struct_proxy(signature.args[5])(context, builder, value=args[5]).nitems
            totals = [cgutils.alloca_once_value(builder, same(0.0)) for _ in range(vectors)]
            starts = [ir.Constant(I64, LANES * place) for place in range(vectors)]
            one = ir.VectorType(F32, 1)
            with cgutils.for_range(builder, count) as loop:
                weight = builder.extract_element(memory.load(5, loop.index, one), ir.Constant(I32, 0))
                offset = builder.extract_element(memory.load(4, loop.index, ir.VectorType(I64, 1)), ir.Constant(I32, 0))
                weights = spread(builder, weight, LANES)
                place = builder.add(args[3], offset)
                for total, start in zip(totals, starts, strict=True):
                    values = memory.load(2, builder.add(place, start), vector(F32))
                    builder.store(called(builder, "fma", weights, values, builder.load(total)), total)
            for total, start in zip(totals, starts, strict=True):
                memory.store(builder.load(total), 0, builder.add(args[1], start))
            return context.get_dummy_value()

        return types.void(result, types.int64, source, types.int64, offsets, weights), generate

    return intrinsic(typed)


LLVM: dict[str, Any] = {
    "floor32": _rounding("floor"),
    "rint32": _rounding("rint"),
    "sqrt32": _rounding("sqrt"),
    "float_bits": _cast(types.float32, types.int32, lambda builder, a: builder.bitcast(a, I32)),
    "bits_float": _cast(types.int32, types.float32, lambda builder, a: builder.bitcast(a, F32)),
    "truncated": _cast(types.float32, types.int32, lambda builder, a: builder.fptosi(a, I32)),
    "word_float": _cast(types.uint32, types.float32, lambda builder, a: builder.sitofp(a, F32)),
    "word_mul": _of_words("mul"),
    "word_add": _of_words("add"),
    "word_xor": _of_words("xor"),
    "word_shift": _of_words("lshr"),
    "load_pixels": intrinsic(_load_pixels),
    "store_pixels": intrinsic(_store_pixels),
    "step_along": intrinsic(_step_along),
    "read_pixels": intrinsic(read_pixels),
    "pick_pixels": intrinsic(_pick_pixels),
    "sum_fours": intrinsic(_sum_fours),
    "sum_places": intrinsic(_sum_places),
    "weigh_16": _weigh(1),
    "weigh_32": _weigh(2),
    "weigh_64": _weigh(4),
    "weigh_128": _weigh(8),
}
"""Every word of `kernels.cpu.intrinsics` by name."""
