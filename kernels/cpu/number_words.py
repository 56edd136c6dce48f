"""The words of `kernels.words` on single float32 numbers: what a pixel operation is made of in a compiled kernel.

Loops over them become vector instructions, so each word is straight-line arithmetic too. `uniform` and `normal` give
the same bits as the torch reference; `exp2` and `log2` are polynomials, within 2 units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kernels.cpu.intrinsics import (
    bits_float,
    float_bits,
    floor32,
    rint32,
    sqrt32,
    truncated,
    word_add,
    word_float,
    word_mul,
    word_shift,
    word_xor,
)
from kernels.words import (
    COS_0,
    COS_1,
    COS_2,
    COS_3,
    LOG_0,
    LOG_1,
    LOG_2,
    LOG_3,
    LOG_4,
    NORMAL_SALT,
    SIN_0,
    SIN_1,
    SIN_2,
    SIN_3,
    TWO_LN_2,
)

f32, i32, u32 = np.float32, np.int32, np.uint32
Number = np.float32
Seed = tuple[np.uint32, np.uint32]


def where(condition: bool, yes: Number, no: Number) -> Number:
    return f32(yes) if condition else f32(no)


def minimum(a: Number, b: Number) -> Number:
    return f32(a) if f32(a) < f32(b) else f32(b)


def maximum(a: Number, b: Number) -> Number:
    return f32(a) if f32(a) > f32(b) else f32(b)


def clamp(a: Number) -> Number:
    low = f32(a) if f32(a) > f32(0.0) else f32(0.0)
    # floats from 0 up are in the order of their bits; as a comparison of floats, LLVM makes four instructions of the two
    bits = float_bits(low)
    return bits_float(bits if bits < i32(0x3F800000) else i32(0x3F800000))


def floor(a: Number) -> Number:
    return floor32(f32(a))


def rint(a: Number) -> Number:
    return rint32(f32(a))


def sqrt(a: Number) -> Number:
    return sqrt32(f32(a))


def exp2(a: Number) -> Number:
    """2^a; whole powers are exact. Below 2^-126 it is 2^-126."""
    power = minimum(maximum(a, f32(-126.0)), f32(127.0))
    whole = rint32(power)
    x = power - whole
    y = f32(1.5403530e-4)
    y = f32(1.3335581e-3) + x * y
    y = f32(9.6181291e-3) + x * y
    y = f32(5.5504109e-2) + x * y
    y = f32(2.4022651e-1) + x * y
    y = f32(6.9314718e-1) + x * y
    y = f32(1.0) + x * y
    return bits_float(float_bits(y) + (truncated(whole) << i32(23)))


def log2(a: Number) -> Number:
    """The logarithm of a normal number above 0."""
    # a = m 2^whole with m from sqrt(1/2) to sqrt(2); then the series of the inverse hyperbolic tangent
    bits = float_bits(f32(a)) - i32(0x3F3504F3)
    whole = bits >> i32(23)
    m = bits_float((bits & i32(0x7FFFFF)) + i32(0x3F3504F3)) - f32(1.0)
    s = m / (f32(2.0) + m)
    z = s * s
    y = f32(0.2622705)
    y = f32(0.3205989) + z * y
    y = f32(0.4121984) + z * y
    y = f32(0.5770780) + z * y
    y = f32(0.9617967) + z * y
    y = f32(2.8853900) + z * y
    return s * y + f32(whole)


def cell(column: Number, row: Number) -> np.uint32:
    return word_add(word_mul(u32(truncated(row)), u32(2**15)), u32(truncated(column)))


def _hash(i: np.uint32, seed: Seed, channel: int) -> np.uint32:
    """As `kernels.words` hashes: the two seed words enter in separate rounds."""
    x = word_xor(word_add(word_mul(i, u32(4)), u32(channel)), seed[0])
    x = word_mul(word_xor(x, word_shift(x, u32(16))), u32(0x7FEB352D))
    x = word_mul(word_xor(x, word_shift(x, u32(15))), u32(0x846CA68B))
    x = word_add(word_xor(x, word_shift(x, u32(16))), seed[1])
    x = word_mul(word_xor(x, word_shift(x, u32(16))), u32(0x7FEB352D))
    x = word_mul(word_xor(x, word_shift(x, u32(15))), u32(0x846CA68B))
    return word_xor(x, word_shift(x, u32(16)))


def uniform(i: np.uint32, seed: Seed, channel: int) -> Number:
    return word_float(word_shift(_hash(i, seed, channel), u32(9))) * f32(2.0**-23) + f32(2.0**-24)


def normal(i: np.uint32, seed: Seed, channel: int) -> Number:
    """As `kernels.words` computes it, operation by operation. Channels 0 and 1, or 2 and 3, share all but the end."""
    word = _hash(i, (word_xor(seed[0], u32(NORMAL_SALT)), seed[1]), channel & 2)
    bits = float_bits(word_float(word_shift(word, u32(16))) * f32(2.0) + f32(1.0))
    t = bits_float((bits & i32(0x7FFFFF)) | i32(0x3F800000)) - f32(1.0)
    series = ((((LOG_4 * t + LOG_3) * t) + LOG_2) * t + LOG_1) * t + LOG_0
    log = t + (t * (f32(1.0) - t)) * series
    radius = sqrt32((f32(i32(144) - (bits >> i32(23))) - log) * TWO_LN_2)
    t = (word_float(word_shift(word_mul(word, u32(1 << 18)), u32(18))) + f32(0.5)) * f32(2.0**-14) - f32(0.5)
    z = t * t
    sine = t * (((SIN_3 * z + SIN_2) * z + SIN_1) * z + SIN_0)
    cosine = ((COS_3 * z + COS_2) * z + COS_1) * z + COS_0
    turned = word_shift(word_mul(word, u32(1 << 17)), u32(31)) != u32(0)
    first, second = where(turned, -sine, cosine), where(turned, cosine, sine)
    value = second if channel & 1 else first
    return radius * where(word_shift(word_mul(word, u32(1 << 16)), u32(31)) != u32(0), -value, value)


WORDS: dict[str, Callable[..., object]] = {
    "where": where,
    "minimum": minimum,
    "maximum": maximum,
    "clamp": clamp,
    "floor": floor,
    "rint": rint,
    "exp2": exp2,
    "log2": log2,
    "sqrt": sqrt,
    "cell": cell,
    "uniform": uniform,
    "normal": normal,
}
"""What stands for each word of `kernels.words`."""
SEPARATELY_ROUNDED: frozenset[Callable[..., object]] = frozenset({uniform, normal})
"""Words whose products and sums are rounded one by one, never fused: their bits are those of the reference."""
