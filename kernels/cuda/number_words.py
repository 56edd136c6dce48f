"""The words of `kernels.words` on Triton's blocks of float32 numbers: what a pixel operation is made of on a GPU.

No word is approximate and none is fused with another, so a GPU gives the bits that Triton's interpreter gives on the
CPU. `uniform` and `normal` have the bits of the torch reference; `exp2` and `log2` are the CPU kernels' polynomials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton.language as tl

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

Block = Any
"""A block of numbers, or one number."""


def where(condition: Block, yes: Block, no: Block) -> Block:
    return tl.where(condition, yes, no)


def minimum(a: Block, b: Block) -> Block:
    return tl.minimum(a, b)


def maximum(a: Block, b: Block) -> Block:
    return tl.maximum(a, b)


def clamp(a: Block) -> Block:
    return tl.minimum(tl.maximum(a, 0.0), 1.0)


def floor(a: Block) -> Block:
    return tl.floor(a)


def rint(a: Block) -> Block:
    # beyond 2^23 there are no fractions; below, adding 2^23 leaves no room for them
    size = tl.abs(a)
    whole = (size + 8388608.0) - 8388608.0
    return tl.where(size < 8388608.0, tl.where(a < 0.0, -whole, whole), a)


def sqrt(a: Block) -> Block:
    return tl.sqrt_rn(a)


def divide(a: Block, b: Block) -> Block:
    """What `/` stands for."""
    return tl.div_rn(a, b)


def exp2(a: Block) -> Block:
    """2^a; whole powers are exact. Below 2^-126 it is 2^-126."""
    power = tl.minimum(tl.maximum(a, -126.0), 127.0)
    whole = rint(power)
    x = power - whole
    y = 1.3335581e-3 + x * 1.5403530e-4
    y = 9.6181291e-3 + x * y
    y = 5.5504109e-2 + x * y
    y = 2.4022651e-1 + x * y
    y = 6.9314718e-1 + x * y
    y = 1.0 + x * y
    bits = tl.cast(y, tl.int32, bitcast=True) + (whole.to(tl.int32) << 23)
    return tl.cast(bits, tl.float32, bitcast=True)


def log2(a: Block) -> Block:
    """The logarithm of a normal number above 0."""
    bits = tl.cast(a, tl.int32, bitcast=True) - 0x3F3504F3
    whole = bits >> 23
    m = tl.cast((bits & 0x7FFFFF) + 0x3F3504F3, tl.float32, bitcast=True) - 1.0
    s = m / (2.0 + m)
    z = s * s
    y = 0.3205989 + z * 0.2622705
    y = 0.4121984 + z * y
    y = 0.5770780 + z * y
    y = 0.9617967 + z * y
    y = 2.8853900 + z * y
    return s * y + whole.to(tl.float32)


def cell(column: Block, row: Block) -> Block:
    return row.to(tl.int32).to(tl.uint32) * 32768 + column.to(tl.int32).to(tl.uint32)


def hashed(i: Block, seed: Block, channel: int) -> Block:
    """As `kernels.words` hashes: the two seed words enter in separate rounds. i: uint32."""
    x = (i * 4 + channel) ^ seed[0]
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    x = (x ^ (x >> 16)) + seed[1]
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


def uniform(i: Block, seed: Block, channel: int) -> Block:
    return (hashed(i, seed, channel) >> 9).to(tl.float32) * 1.1920928955078125e-07 + 5.9604644775390625e-08


def normal(i: Block, seed: Block, channel: int) -> Block:
    """As `kernels.words` computes it, operation by operation. Channels 0 and 1, or 2 and 3, share all but the end."""
    word = hashed(i, (seed[0] ^ NORMAL_SALT, seed[1]), channel & 2)
    bits = tl.cast((word >> 16).to(tl.float32) * 2.0 + 1.0, tl.int32, bitcast=True)
    t = tl.cast((bits & 0x7FFFFF) | 0x3F800000, tl.float32, bitcast=True) - 1.0
    series = ((((LOG_4 * t + LOG_3) * t) + LOG_2) * t + LOG_1) * t + LOG_0
    log = t + (t * (1.0 - t)) * series
    radius = tl.sqrt_rn(((144 - (bits >> 23)).to(tl.float32) - log) * TWO_LN_2)
    t = ((word & 0x3FFF).to(tl.float32) + 0.5) * 6.103515625e-05 - 0.5
    z = t * t
    sine = t * (((SIN_3 * z + SIN_2) * z + SIN_1) * z + SIN_0)
    cosine = ((COS_3 * z + COS_2) * z + COS_1) * z + COS_0
    turned = (word & 0x4000) != 0
    value = tl.where(turned, cosine, sine) if channel & 1 else tl.where(turned, -sine, cosine)
    return radius * tl.where((word & 0x8000) != 0, -value, value)


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
