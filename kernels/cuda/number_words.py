"""The words of `kernels.words` on Triton's blocks of float32 numbers: what a pixel operation is made of on a GPU.

No word is approximate and none is fused with another, so a GPU gives the bits that Triton's interpreter gives on the
CPU. `uniform` and `normal` have the bits of the torch reference; `exp2` and `log2` are the CPU kernels' polynomials.

`seed` is what the frame makes of a noise seed: its two words, and the address of the table of normal numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton.language as tl

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
    word = hashed(i, seed, channel)
    index = (word >> 16).to(tl.int32)
    rest = ((word >> 8) & 0xFF).to(tl.float32)
    low, high = tl.load(seed[2] + index), tl.load(seed[2] + index + 1)
    return low + (high - low) * ((rest + 0.5) * 0.00390625)


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
