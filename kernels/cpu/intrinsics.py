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
Grid = NDArray[np.float32]
"""Rows of floats, one after the other."""
Integers = NDArray[np.int32]
Sums = NDArray[np.uint16] | Floats
"""Interleaved sums of boxes of a picture's bytes: whole numbers where 16 bits hold them."""
Levels = Bytes | Sums
"""Interleaved channel values: a picture's bytes, sums of boxes of them, or floats."""
LANES = 16
"""Pixels that a vector word takes at once."""
STRETCH = 32
"""Values that are summed at once, and the fewest."""


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


def step_along(result: Floats | Grid, at: int, first: int, slope: np.float32, start: np.float32) -> None:
    """Flat: result[at + k] = slope (first + k + 1/2) + start, for 16 of them."""
    _unbound("step_along")


def read_pixels(
    source: Levels,
    stride: int,
    offsets: Integers,
    at: int,
    scratch: Grid,
    across: int,
    down: int,
    weight: int,
    red: Floats,
    green: Floats,
    blue: Floats,
    to: int,
) -> None:
    """red[to : to + 16] and so on = weights times what is between pixels, at most 1.

    offsets[at : at + 16]: where in `source` the pixel at each one's top left begins, or below 0 for what is not to be read;
    what comes out for that is undefined. across, down, weight: where in `scratch`, counted flat, sixteen fractions of the
    way to the right and lower neighbours and sixteen weights begin. Reads eight levels at each offset and `stride` levels
    further, and at 0 for those below.
    """
    _unbound("read_pixels")


def pick_pixels(source: Sums, apart: int, count: int, result: Sums) -> None:
    """result[3 k : 3 k + 3] = source[apart k : apart k + 3] for k < count; then one more value is read and written."""
    _unbound("pick_pixels")


def sum_fours(source: Levels, stride: int, column_weight: int, row_weight: int, count: int, result: Sums) -> None:
    """result[i], for i < count, 32 or more = the sum of source[i], source[i + 3] and those `stride` further on.

    The former of each pair along the row counts `column_weight` times, those in the upper row `row_weight` times.
    """
    _unbound("sum_fours")


def sum_places(source: Levels, apart: int, places: int, weight: int, count: int, result: Sums) -> None:
    """result[i], for i < count, 32 or more = the sum over j < places of source[i + j apart]; the inner, or of two the
    first, `weight` times."""
    _unbound("sum_places")


def weigh_16(result: Floats, to: int, source: Floats, at: int, offsets: NDArray[np.int64], weights: Floats) -> None:
    """result[to : to + 16] = the sum over j, in order, of weights[j] source[at + offsets[j] : + 16]."""
    _unbound("weigh_16")


def weigh_32(result: Floats, to: int, source: Floats, at: int, offsets: NDArray[np.int64], weights: Floats) -> None:
    """`weigh_16` of 32 values at once, with the same bits."""
    _unbound("weigh_32")


def weigh_64(result: Floats, to: int, source: Floats, at: int, offsets: NDArray[np.int64], weights: Floats) -> None:
    """Of 64."""
    _unbound("weigh_64")


def weigh_128(result: Floats, to: int, source: Floats, at: int, offsets: NDArray[np.int64], weights: Floats) -> None:
    """Of 128."""
    _unbound("weigh_128")
