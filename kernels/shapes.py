"""Arithmetic of places and angles that several pixel operations share, in the words of `kernels.words`."""

from __future__ import annotations

from kernels.words import Value, floor, maximum, minimum, rint, where


def begin(fraction: float, side: float, length: Value) -> Value:
    """Whole pixels before `length` of them along a side: a fraction of the free ones, each place equally likely."""
    return minimum(floor(fraction * (side - length + 1.0)), side - length)


def cell_side(w: float, h: float, cells: int) -> Value:
    """Side, in whole pixels and at least 2, of square cells, `cells` along the shorter side of the picture."""
    return maximum(2.0, rint(minimum(w, h) / cells))


def sine(turns: float | Value) -> Value:
    """The sine of an angle in turns, within 2e-7."""
    # folded to a quarter turn either way; then Taylor's series in radians
    near = turns - rint(turns)
    quarter = where(near > 0.25, 0.5 - near, where(near < -0.25, -0.5 - near, near))
    a = 6.2831853 * quarter
    z = a * a
    y = 2.7557319e-6 - 2.5052108e-8 * z
    y = 1.9841270e-4 - y * z
    y = 8.3333333e-3 - y * z
    y = 0.16666667 - y * z
    return a - a * z * y


def cosine(turns: float | Value) -> Value:
    """The cosine of an angle in turns, within 2e-7."""
    return sine(turns + 0.25)
