"""Readings: how often each output pixel of a chain is read from its source, and averaged.

Nearly always once: boxes that are summed beforehand smooth for less (`route.boxes`). But who takes step by step reads the
picture anew in the last one. Where that shrinks to about a half, readings side by side are the better filter: they lie
along the output pixel however it is turned, as boxes do not. So a chain reads there twice along it, too
(docs/decisions/0024-overlapping-boxes.md). Plain numbers, compiled as `kernels.route` is.
"""

from __future__ import annotations

import math

from kernels.matrices import IDENTITY, inverse, is_affine, length, multiply
from kernels.op import Matrix
from kernels.route import BEND, OUTPUT, Links, boxes, matrix_of, paces

ASIDE = 0.24
"""Two readings along a side of an output pixel lie so far from its centre, in output pixels. Where the last step halves, a
quarter gives what single steps give, and this is closer to the truth."""
_LAST = 1.4
"""Two readings are better where as many pixels of the canvas that the last step reads fit into an output pixel,"""
_LEAST, _MOST = 1.3, 2.85
"""and between so many of the source."""
_BOXED = 1.55
"""Beyond, a side that is read once would need boxes."""
_TINY = 1e-6


def smoothing(links: Links) -> tuple[int, int, int, int, int, int, int, int]:
    """`readings`, then `Boxes`: of single pixels where an output pixel is read more than once."""
    across, down = readings(links)
    if across > 1 or down > 1:
        return across, down, 1, 1, 1, 1, 1, 1
    wide, high, boxes_across, boxes_down, column_weight, row_weight = boxes(links)
    return across, down, wide, high, boxes_across, boxes_down, column_weight, row_weight


def readings(links: Links) -> tuple[int, int]:
    """How often an output pixel is read along its row and its column, by how the chain shrinks in the middle of the output.

    Twice along a side by which the last step shrinks (whole moves of pixels after it aside), if those before it move pixels
    by other than whole ones. Once where all output pixels lie alike on those of the source: there boxes are exact.
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
        return 1, 1
    before = IDENTITY
    for number in range(last):
        before = multiply(before, inverse(matrix_of(links[number])))
        bends = bends or links[number][BEND] >= 0.0
    back = multiply(before, back)
    if not bends and (_is_whole(before) or _repeats(back, width, height)):
        return 1, 1
    fit_x, fit_y = _fits(back, width, height)
    across = 2 if fit_x > _BOXED or (fit_x > _LEAST and last_x >= _LAST) else 1
    down = 2 if fit_y > _BOXED or (fit_y > _LEAST and last_y >= _LAST) else 1
    return (across, down) if max(fit_x, fit_y) <= _MOST else (1, 1)


def _fits(back: Matrix, width: float, height: float) -> tuple[float, float]:
    """How long an output pixel is on another canvas, along its row and its column."""
    a, b, d, e = paces(back, width / 2.0, height / 2.0)
    return length(a, d), length(b, e)


def _is_whole(matrix: Matrix) -> bool:
    """Whether it only takes pixels to pixels, mirrored and turned by quarters maybe."""
    a, b, c, d, e, f, _, _, _ = matrix
    off = _off(a) + _off(b) + _off(c) + _off(d) + _off(e) + _off(f)
    return is_affine(matrix) and off < _TINY and abs(abs(a * e - b * d) - 1.0) < _TINY


def _repeats(back: Matrix, width: float, height: float) -> bool:
    """Whether output pixels lie alike on those of another canvas, to a pixel from edge to edge."""
    a, b, _, d, e, _, _, _, _ = back
    return is_affine(back) and max(max(_off(a), _off(d)) * width, max(_off(b), _off(e)) * height) < 1.0


def _off(value: float) -> float:
    """How far it is from a whole number."""
    return abs(value - math.floor(value + 0.5))
