"""read_pixels in LLVM instructions: sixteen pixels, each between four neighbours, of bytes, sums of bytes or floats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types

from kernels.cpu.intrinsics import LANES
from kernels.cpu.llvm_vectors import (
    F32,
    I8,
    I16,
    I32,
    I64,
    Memory,
    Value,
    cgutils,
    joined,
    picked,
    same,
    spread,
    vector,
)


def read_pixels(
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
        memory = Memory(context, builder, signature, args)
        rows = _ROWS[signature.args[0].dtype](memory, builder, args)
        across, weights = memory.load(4, args[5], vector(F32)), memory.load(4, args[7], vector(F32))
        for channel in range(3):
            left, right = rows[channel], rows[3 + channel]
            between = builder.fadd(left, builder.fmul(across, builder.fsub(right, left)))
            values = builder.fmul(between, weights)
            below = builder.fcmp_ordered("<", values, same(1.0))
            memory.store(builder.select(below, values, same(1.0)), 8 + channel, args[11])
        return context.get_dummy_value()

    return signature, generate


def _byte_rows(memory: Memory, builder: Any, args: Any) -> list[Value]:
    """For sixteen pixels, six channel values between the upper row's and the lower's: of the left pixel, of the right."""
    rows = []
    for further in (ir.Constant(I64, 0), args[1]):
        words = _gathered(memory, builder, args, further, I8, 2)
        rows.append([_above_2_23(builder, words[place // 4], place % 4) for place in range(6)])
    return _between_rows(memory, builder, args, *rows)


def _sum_rows(memory: Memory, builder: Any, args: Any) -> list[Value]:
    """The same of numbers of 16 bits."""
    base, low, sixteen = (same(number, I32) for number in (0x4B000000, 0xFFFF, 16))
    rows = []
    for further in (ir.Constant(I64, 0), args[1]):
        words = _gathered(memory, builder, args, further, I16, 2)
        words += _gathered(memory, builder, args, builder.add(further, ir.Constant(I64, 4)), I16, 1)
        # 2^23 and the number, as in `_above_2_23`
        numbers = [half for word in words for half in (builder.and_(word, low), builder.lshr(word, sixteen))]
        rows.append([builder.bitcast(builder.or_(number, base), vector(F32)) for number in numbers])
    return _between_rows(memory, builder, args, *rows)


def _between_rows(memory: Memory, builder: Any, args: Any, upper: list[Value], lower: list[Value]) -> list[Value]:
    """Between numbers that 2^23 was added to: their difference is the same."""
    down = memory.load(4, args[6], vector(F32))
    return [
        builder.fadd(builder.fsub(above, same(2.0**23)), builder.fmul(down, builder.fsub(below, above)))
        for above, below in zip(upper, lower, strict=True)
    ]


def _above_2_23(builder: Any, words: Value, byte: int) -> Value:
    """2^23 and a byte of each word: the bytes of that float with the lowest one replaced, which is no conversion."""
    base = builder.bitcast(same(2.0**23), vector(I8, 4 * LANES))
    places = [place + byte if place % 4 == 0 else 4 * LANES + place for place in range(4 * LANES)]
    mixed = picked(builder, builder.bitcast(words, vector(I8, 4 * LANES)), base, places)
    return builder.bitcast(mixed, vector(F32))


def _gathered(memory: Memory, builder: Any, args: Any, further: Value, element: Any, count: int) -> list[Value]:
    """One or two (`count`) words at each of the sixteen offsets, `further` elements on."""
    held = I64 if count == 2 else I32
    start = builder.ptrtoint(memory.pointer(0, further, I8), I64)
    found = []
    for first in (0, 8):
        offsets = memory.load(2, builder.add(args[3], ir.Constant(I64, first)), vector(I32, 8))
        away = builder.sext(_at_least_0(builder, offsets), vector(I64, 8))
        away = builder.mul(away, same(element.width // 8, I64, 8))
        pointers = builder.inttoptr(builder.add(away, spread(builder, start, 8)), vector(ir.PointerType(I8), 8))
        everywhere, nothing = same(1, ir.IntType(1), 8), ir.Constant(vector(held, 8), ir.Undefined)
        kind = ir.FunctionType(nothing.type, [pointers.type, I32, everywhere.type, nothing.type])
        gather = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.gather.v8i{held.width}.v8p0")
        words = builder.call(gather, [pointers, ir.Constant(I32, 1), everywhere, nothing])
        found.append(builder.bitcast(words, vector(I32, 8 * count)))
    return [picked(builder, found[0], found[1], range(place, LANES * count, count)) for place in range(count)]


def _at_least_0(builder: Any, numbers: Value) -> Value:
    nothing = ir.Constant(numbers.type, None)
    return builder.select(builder.icmp_signed(">", numbers, nothing), numbers, nothing)


def _float_rows(memory: Memory, builder: Any, args: Any) -> list[Value]:
    """The same of floats: pixel by pixel, then each channel of the sixteen side by side."""
    offsets = _at_least_0(builder, memory.load(2, args[3], vector(I32)))
    pixels = []
    for lane in range(LANES):
        at = builder.sext(builder.extract_element(offsets, ir.Constant(I32, lane)), I64)
        upper, lower = (memory.load(0, place, vector(F32, 8)) for place in (at, builder.add(at, args[1])))
        down = memory.load(4, builder.add(args[6], ir.Constant(I64, lane)), F32)
        pixels.append(builder.fadd(upper, builder.fmul(spread(builder, down, 8), builder.fsub(lower, upper))))
    # number p of each quarter of vector n is pixel 4 p + n: so none has to leave its quarter when they are turned round
    rows = []
    for first in (0, 3):
        quarters = [picked(builder, pixel, None, [first, first + 1, first + 2, first + 2]) for pixel in pixels]
        a, b, c, d = (
            joined(
                builder,
                joined(builder, quarters[n], quarters[n + 4]),
                joined(builder, quarters[n + 8], quarters[n + 12]),
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
    return picked(builder, a, b, [4 * part + place + (place > 3) * (LANES - 4) for part in range(4) for place in places])


_ROWS: dict[Any, Callable[[Memory, Any, Any], list[Value]]] = {
    types.uint8: _byte_rows,
    types.uint16: _sum_rows,
    types.float32: _float_rows,
}
