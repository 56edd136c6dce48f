"""What compiled kernels may call beside arithmetic: words of LLVM that Python has no form for.

Each stands here as a plain function, so that the kernels are plain Python with types; `kernels.cpu.binding` puts the
LLVM form (`kernels.cpu.llvm`) in its place. Called unbound they raise TypeError. Arrays are flat and are not checked:
who calls a vector word answers for its bounds.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Words = NDArray[np.uint16]
Sums = Words | Floats
"""Interleaved sums of boxes of a picture's bytes: whole numbers if they fit into 16 bits."""
Levels = Bytes | Sums
"""Interleaved channel values: a picture's bytes, sums of boxes of them, or floats."""
LANES = 16
"""Pixels that a vector word takes at once."""


def _unbound(word: str) -> NoReturn:
    raise TypeError(f"{word}: only inside a compiled kernel")


def floor32(a: np.float32) -> np.float32:
    _unbound("floor32")


def rint32(a: np.float32) -> np.float32:
    _unbound("rint32")


def sqrt32(a: np.float32) -> np.float32:
    _unbound("sqrt32")


def float_bits(a: np.float32) -> np.int32:
    """The 32 bits of a float, as a whole number."""
    _unbound("float_bits")


def bits_float(a: np.int32) -> np.float32:
    """The float of 32 bits."""
    _unbound("bits_float")


def truncated(a: np.float32) -> np.int32:
    """a without its fraction. Undefined beyond 32 bits."""
    _unbound("truncated")


def word_float(a: np.uint32) -> np.float32:
    """A whole number below 2^31 as a float."""
    _unbound("word_float")


def word_mul(a: np.uint32, b: np.uint32) -> np.uint32:
    """The low 32 bits of a b: numba's own arithmetic would go on in 64."""
    _unbound("word_mul")


def word_add(a: np.uint32, b: np.uint32) -> np.uint32:
    _unbound("word_add")


def word_xor(a: np.uint32, b: np.uint32) -> np.uint32:
    _unbound("word_xor")


def word_shift(a: np.uint32, b: np.uint32) -> np.uint32:
    """a >> b, zeros from the left."""
    _unbound("word_shift")


def load_pixels(source: Bytes, at: int, red: Floats, green: Floats, blue: Floats, to: int) -> None:
    """red[to : to + 16] and so on = source[at : at + 48 : 3] / 255, exactly as that division rounds."""
    _unbound("load_pixels")


def store_pixels(red: Floats, green: Floats, blue: Floats, at: int, result: Bytes, to: int) -> None:
    """result[to : to + 48 : 3] = 255 red[at : at + 16], rounded to the nearest whole number, halves to even."""
    _unbound("store_pixels")


def read_between(source: Levels, at: int, stride: int, ax: np.float32, ay: np.float32, result: Floats, to: int) -> None:
    """result[to : to + 4]: red, green, blue (and nothing) between the four pixels at and right of and below `at`.

    Reads source[at : at + 8] and source[at + stride : at + stride + 8].
    """
    _unbound("read_between")


def fetch(source: Levels, at: int) -> None:
    """Asks for source[at] to be in the nearest cache soon; does nothing else."""
    _unbound("fetch")


def spread_pixels(mixed: Floats, at: int, weight: Floats, red: Floats, green: Floats, blue: Floats) -> None:
    """red[at : at + 16] = weight[at : at + 16] * mixed[4 at :: 4], limited to 1; green and blue likewise."""
    _unbound("spread_pixels")


def halve_pixels(source: Bytes, at: int, stride: int, result: Sums, to: int) -> None:
    """result[to : to + 48]: sums of 16 boxes of 2 x 2 RGB pixels; reads 96 bytes at `at` and at `at + stride`."""
    _unbound("halve_pixels")


def pair_pixels(source: Bytes, at: int, stride: int, result: Sums, to: int) -> None:
    """result[to : to + 48]: sums of 16 boxes of 2 x 2 RGB pixels, a pixel apart.

    Reads 51 bytes at `at` and at `at + stride`.
    """
    _unbound("pair_pixels")


def weigh_block(result: Floats, to: int, source: Floats, at: int, offsets: NDArray[np.int64], weights: Floats) -> None:
    """`weigh_values` of 64 values at once, with the same bits."""
    _unbound("weigh_block")


def weigh_values(result: Floats, to: int, source: Floats, at: int, offsets: NDArray[np.int64], weights: Floats) -> None:
    """result[to : to + 16] = the sum over j, in order, of weights[j] source[at + offsets[j] : + 16]."""
    _unbound("weigh_values")
