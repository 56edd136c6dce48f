"""Readings: how often each output pixel of a chain is read from its source, and averaged.

Nearly always once: boxes that are summed beforehand smooth for less (`route.boxes`). But who takes step by step reads the
picture anew in the last one. Where that shrinks to about a half, readings side by side are the better filter: they lie
along the output pixel however it is turned, as boxes do not. So a chain reads there twice along it, too, and of what
shrank before, boxes fitted to the half of it (docs/decisions/0024-overlapping-boxes.md). Plain numbers, compiled as
`kernels.route` is.
"""

from __future__ import annotations

import math

from kernels.matrices import IDENTITY, inverse, is_affine, length, multiply
from kernels.op import Matrix
from kernels.route import BEND, OUTPUT, Links, boxes, matrix_of, paces

_ASIDE, _NEAR, _RISE = 0.24, 0.05, 0.09
"""Two readings along a side of an output pixel lie so far from its centre at most, in output pixels. Where the last step
halves, a quarter gives what single steps give, and this is closer to the truth. They lie nearer where few source pixels fit
into it: reading between these is as soft then."""
_LAST = 1.4
"""Two readings are better where as many pixels of the canvas that the last step reads fit into an output pixel,"""
_LEAST, _MOST = 1.1, 2.85
"""so many of the source at least, and of either so many at most."""
_BOXED = 1.55
"""Beyond, a side that is read once would need boxes."""
_PARTS = 1.87
"""Boxes are fitted to one of so many parts of a side that is read twice: to a little more than its half."""
_TINY = 1e-6


def smoothing(links: Links) -> tuple[float, float, int, int, int, int, int, int]:
    """`asides`, then `Boxes`: fitted to what is read of an output pixel at once."""
    aside, off = asides(links)
    parts_x, parts_y = _PARTS if aside > 0.0 else 1.0, _PARTS if off > 0.0 else 1.0
    wide, high, across, down, column_weight, row_weight = boxes(links, parts_x, parts_y)
    return aside, off, wide, high, across, down, column_weight, row_weight


def often(aside: float) -> int:
    """How often an output pixel is read along a side, so far from its centre."""
    return 2 if aside > 0.0 else 1


def asides(links: Links) -> tuple[float, float]:
    """How far from its centre an output pixel is read along its row and its column, to either side; 0: in the middle alone.

    By how the chain shrinks in the middle of the output. Twice along a side by which the last step shrinks (whole moves of
    pixels after it aside), if those before it move pixels by other than whole ones. Once along a side on which all output
    pixels lie alike on those of the source: there boxes are exact.
    """
    count = len(links)
    height, width = links[count - 1][OUTPUT], links[count - 1][OUTPUT + 1]
    back, last, bends = IDENTITY, count, False
    while last > 0 and not bends and _is_whole(back):
        last -= 1
        back = multiply(inverse(matrix_of(links[last])), back)
        bends = links[last][BEND] >= 0.0
    last_x, last_y = _fits(back, width, height)
    if last == 0 or bends or max(last_x, last_y) < _LAST:
        return 0.0, 0.0
    before = IDENTITY
    for number in range(last):
        before = multiply(before, inverse(matrix_of(links[number])))
        bends = bends or links[number][BEND] >= 0.0
    back = multiply(before, back)
    fit_x, fit_y = _fits(back, width, height)
    if min(max(fit_x, fit_y), max(last_x, last_y)) > _MOST or (_is_whole(before) and not bends):
        return 0.0, 0.0
    alike_x, alike_y = _repeats(back, width, height)
    aside = 0.0 if alike_x and not bends else _aside(fit_x, last_x)
    off = 0.0 if alike_y and not bends else _aside(fit_y, last_y)
    return aside, off


def _aside(fit: float, last: float) -> float:
    """Along a side into which so many pixels of the source, and of the canvas that the last step reads, fit."""
    if fit > _BOXED or (fit > _LEAST and last >= _LAST):
        return min(_ASIDE, _NEAR + _RISE * fit)
    return 0.0


def _fits(back: Matrix, width: float, height: float) -> tuple[float, float]:
    """How long an output pixel is on another canvas, along its row and its column."""
    a, b, d, e = paces(back, width / 2.0, height / 2.0)
    return length(a, d), length(b, e)


def _is_whole(matrix: Matrix) -> bool:
    """Whether it only takes pixels to pixels, mirrored and turned by quarters maybe."""
    a, b, c, d, e, f, _, _, _ = matrix
    off = _off(a) + _off(b) + _off(c) + _off(d) + _off(e) + _off(f)
    return is_affine(matrix) and off < _TINY and abs(abs(a * e - b * d) - 1.0) < _TINY


def _repeats(back: Matrix, width: float, height: float) -> tuple[bool, bool]:
    """Whether output pixels lie alike on those of another canvas, to a pixel from edge to edge, along rows and columns.

    Not along one side alone where the other leads to other columns, or rows, of the canvas.
    """
    a, b, _, d, e, _, _, _, _ = back
    if not is_affine(back):
        return False, False
    across, down = max(_off(a), _off(d)) * width < 1.0, max(_off(b), _off(e)) * height < 1.0
    is_upright = abs(b) * height < 1.0 and abs(d) * width < 1.0
    return across and (down or is_upright), down and (across or is_upright)


def _off(value: float) -> float:
    """How far it is from a whole number."""
    return abs(value - math.floor(value + 0.5))
