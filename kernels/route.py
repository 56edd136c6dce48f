"""Routes: where a chain of geometric steps leads back to, worked out in plain numbers before any pixel is touched.

An output pixel is followed back from the last step to the first. Every canvas on the way is honoured: a point that lies
outside it is folded (replicate, reflect, wrap) or covered by that step's fill (constant). The plain product of the
matrices would show again what an earlier step had cut away; it is used only between canvases that the chain cannot leave.
`kernels.chain` walks a route with whole tensors, `kernels.cpu` and `kernels.cuda` tile by tile.

One source for all: Python runs it over lists, `kernels.cpu.compiled` compiles it over float64 arrays. Every sum and product
is rounded by itself, so both come to the same bits. A link is a row of numbers (`chain.numbers` writes it):

    FORWARD  0..8 the step's matrix; the identity for a displacement
    INPUT    9 height, 10 width of the canvas that it starts from;  OUTPUT  11, 12 of the one that it leaves
    BORDER   13 how points outside come back
    FILL     14..16 what is shown outside where that is CONSTANT, 0..1
    BEND     17 the greatest displacement along an axis, in pixels; below 0: the step has a matrix
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.places import CONSTANT, FOLD, MOVE, REFLECT, REPLICATE, SHIFT, VEIL, VIEW, WRAP
from kernels.matrices import (
    IDENTITY,
    NOWHERE,
    Point,
    Quad,
    inverse,
    is_affine,
    length,
    moved_quad,
    multiply,
    steps,
)
from kernels.op import Matrix
from kernels.params import Border

FORWARD, INPUT, OUTPUT, BORDER, FILL, BEND = 0, 9, 11, 13, 14, 17
LINK = 18
"""Numbers of a link."""
Fill = tuple[float, float, float]
Row = MutableSequence[float] | NDArray[np.float64]
Links = Sequence[Row] | NDArray[np.float64]
Table = Links
"""Rows as `kernels.cpu.places` describes them."""
CODES: dict[Border, int] = {"replicate": REPLICATE, "reflect": REFLECT, "wrap": WRAP, "constant": CONSTANT}
_TINY = 1e-6
_BESIDE = 4
"""Boxes of more pixels lie beside each other, if that is where output pixels are."""
_NEAREST = (
    (1.55, 2, 7),
    (1.72, 2, 3),
    (1.9, 2, 1),
    (2.4, 3, 3),
    (2.51, 3, 2),
    (2.91, 3, 1),
    (3.32, 4, 2),
    (3.74, 4, 1),
)
"""The box one pixel apart that is nearest to the truth where more source pixels than so many fit into an output pixel:
pixels along a side, and its weight (see `Boxes`)."""
_FAR = 1e6
"""Outside every canvas, and within the whole numbers."""


class Boxes(NamedTuple):
    """What a source is summed over before it is read: boxes of wide x high pixels, `across` and `down` pixels apart.

    Along a row of it the outermost pixels count once and the others `column_weight` times; of two, the first does. Along a
    column, `row_weight` times.
    """

    wide: int
    high: int
    across: int
    down: int
    column_weight: int
    row_weight: int

    @property
    def are_needed(self) -> bool:
        """Whether they are of more than a pixel."""
        return self.wide > 1 or self.high > 1

    @property
    def weight(self) -> int:
        """How often pixels are counted in a box, all together."""
        return counted(self.wide, self.column_weight) * counted(self.high, self.row_weight)

    @property
    def middle(self) -> Point:
        """What is read of a box lies so far right of its left edge and below its upper one."""
        return middle(self.wide, self.column_weight), middle(self.high, self.row_weight)


class Lattice(NamedTuple):
    """Boxes that are read: `columns` x `rows` of them, the first one from (left, top) on, which may be off the canvas."""

    left: int
    top: int
    columns: int
    rows: int


def most_rows(links: int) -> int:
    """Of the table of a route through so many links, and of what a source is read by after it."""
    return 5 * links + 5


def route(links: Links, unit: float, read: tuple[int, int], table: Table) -> tuple[int, bool, Matrix, Quad]:
    """The way of output pixel centres to the first canvas, which itself is not folded: rows of `table`, then a matrix.

    read: how often each output pixel is read along its row and its column, about its centre.

    Also: how many rows; whether fills are shown that are not black; and a quadrilateral's corners on the first canvas that
    holds every such place, not finite if a perspective has no bound. unit: what a fill's 1 becomes.

    A canvas that some points may have left is a row FOLD, after a row VEIL if it has a fill. Softness is how many of its
    pixels one output pixel shows, or the part of it that is read at once. Points end at least its margins from its edges, a
    quarter of that: there lies the middle of what is shown on the edge, whether its other half is mirrored or cut off.
    """
    count = len(links)
    out_height, out_width = links[count - 1][OUTPUT], links[count - 1][OUTPUT + 1]
    parts_x, parts_y = float(read[0]), float(read[1])
    matrix, forward = IDENTITY, (parts_x, 0.0, 0.0, 0.0, parts_y, 0.0, 0.0, 0.0, 1.0)
    region = reach = _corners(out_width, out_height, 0.5 / parts_x, 0.5 / parts_y)
    rows, fields, shows = 0, 0.0, False
    for number in range(count - 1, -1, -1):
        link = links[number]
        step, height, width = matrix_of(link), link[INPUT], link[INPUT + 1]
        if link[BEND] < 0.0:
            matrix = multiply(inverse(step), matrix)
            reach = moved_quad(matrix, region)
        else:
            on_pixels = 1.0 if rows == 0 and matrix == IDENTITY and parts_x == parts_y == 1.0 else 0.0
            rows = move(table, rows, matrix)
            write(table[rows], SHIFT, (fields, height, width, on_pixels))
            rows, fields = rows + 1, fields + 2.0 * height * width
            reach = region = _grown(moved_quad(matrix, region), link[BEND])
            matrix = IDENTITY
        if number == 0:
            break
        forward = multiply(forward, step)
        soft_x, soft_y = _softness(forward, parts_x * out_width, parts_y * out_height)
        if within(reach, width, height, min(soft_x, width) / 2.0, min(soft_y, height) / 2.0):
            continue
        # between the outermost pixel centres: beyond them the edge is read as it is, and no other canvas's outside shows
        margin_x, margin_y = min(max(soft_x / 2.0, 1.0), width) / 2.0, min(max(soft_y / 2.0, 1.0), height) / 2.0
        rows, border = move(table, rows, matrix), link[BORDER]
        if border == CONSTANT:
            red, green, blue = link[FILL], link[FILL + 1], link[FILL + 2]
            shows = shows or red > 0.0 or green > 0.0 or blue > 0.0
            write(table[rows], VEIL, (width, height, soft_x, soft_y, red * unit, green * unit, blue * unit))
            rows, border = rows + 1, float(REPLICATE)
        write(table[rows], FOLD, (width, height, margin_x, margin_y, border))
        rows, matrix = rows + 1, IDENTITY
        region = reach = _corners(width, height, margin_x, margin_y)
    return rows, shows, matrix, reach


def move(table: Table, rows: int, matrix: Matrix) -> int:
    """Adds a row for a matrix; how many there are then. The first must be affine: one that changes nothing, if need be."""
    if rows > 0 and matrix == IDENTITY:
        return rows
    if is_affine(matrix):
        write(table[rows], MOVE, matrix)
        return rows + 1
    if rows == 0:
        write(table[rows], MOVE, IDENTITY)
        rows = 1
    write(table[rows], VIEW, matrix)
    return rows + 1


def write(row: Row, kind: int, told: tuple[float, ...]) -> None:
    """Fills the first places of a row of zeros."""
    row[0] = kind
    for place in range(len(told)):
        row[place + 1] = told[place]


def matrix_of(link: Row) -> Matrix:
    return link[0], link[1], link[2], link[3], link[4], link[5], link[6], link[7], link[8]


def counted(length: int, weight: int) -> int:
    """How often the pixels along a side of a box are counted."""
    if length <= 2:
        return (length - 1) * weight + 1
    return (length - 2) * weight + 2


def middle(length: int, weight: int) -> float:
    """The mean place of what is counted along a side of a box, from its beginning."""
    return 0.5 + 1.0 / (weight + 1.0) if length == 2 else length / 2.0


def boxes(links: Links, parts_x: float, parts_y: float) -> tuple[int, int, int, int, int, int]:
    """The `Boxes` by which a chain that shrinks is smoothed, by how it shrinks in the middle of the output.

    They are fitted to an output pixel, or to one of so many parts along its row and its column. Cuts through its middle say
    how wide and high it is; of a part, the geometric mean of those and of how far it reaches does, since readings beside
    each other leave gaps where pixels are oblique.
    """
    count = len(links)
    back = IDENTITY
    for number in range(count):
        back = multiply(back, inverse(matrix_of(links[number])))
    a, b, d, e = paces(back, links[count - 1][OUTPUT + 1] / 2.0, links[count - 1][OUTPUT] / 2.0)
    a, b, d, e = a / parts_x, b / parts_y, d / parts_x, e / parts_y
    area = abs(a * e - b * d)
    height, width = links[0][INPUT], links[0][INPUT + 1]
    reach_x, reach_y = max(length(a, b), _TINY), max(length(d, e), _TINY)
    fit_x, fit_y = area / reach_y, area / reach_x
    if parts_x > 1.0 or parts_y > 1.0:
        fit_x, fit_y = math.sqrt(fit_x * reach_x), math.sqrt(fit_y * reach_y)
    wide, across, column_weight = _side(fit_x, width)
    high, down, row_weight = _side(fit_y, height)
    if is_affine(back) and b == 0.0 and d == 0.0:
        whole = _whole(abs(a), back[2], width) if parts_x == 1.0 else 1
        if whole > 1:
            wide, across, column_weight = whole, (whole if whole > _BESIDE else 1), 1
        whole = _whole(abs(e), back[5], height) if parts_y == 1.0 else 1
        if whole > 1:
            high, down, row_weight = whole, (whole if whole > _BESIDE else 1), 1
    return wide, high, across, down, column_weight, row_weight


def _side(fit: float, side: float) -> tuple[int, int, int]:
    """Pixels of a box, from one to the next, and whether its ends count half, along a side of the source.

    `fit` of its pixels fit into an output pixel. One pixel apart are boxes of `_NEAREST`. Of several, they are as soft as
    the output pixel, to a whole number, rather too large than too small: that has the variance fit^2 / 12, a box
    wide^2 / 12, and reading bilinearly between boxes adds apart^2 / 6. Boxes overlap by half or more.
    """
    most = 4.0 * side
    fit = fit if fit < most else most
    apart = max(int(fit / 2.12), 1)
    wide, weight = 1, 1
    if apart > 1:
        wide = int(math.sqrt(max(fit * fit - 2.0 * apart * apart, 0.0)) + 0.75)
    else:
        for above, places, often in _NEAREST:
            if fit > above:
                wide, weight = places, often
    if wide > int(side):
        wide, weight = int(side), 1
    return wide, min(apart, int(side)), weight


def _whole(fit: float, start: float, side: float) -> int:
    """How many pixels a side of each output pixel is of, if it begins and ends between pixels; else 1.

    The first one begins at `start`: where they are many, between every so many.
    """
    whole = math.floor(fit + 0.5) if fit < side + 0.5 else 1
    if whole < 2 or abs(fit - whole) > _TINY:
        return 1
    begun = start / whole if whole > _BESIDE else start
    return whole if abs(begun - math.floor(begun + 0.5)) <= _TINY else 1


def paces(back: Matrix, u: float, v: float) -> tuple[float, float, float, float]:
    """Source pixels from an output point to the next, in x along its row and down its column, then in y."""
    a, b, c, d, e, f, g, h, i = back
    w = g * u + h * v + i
    if w < _TINY:
        return 1.0, 0.0, 0.0, 1.0
    x, y = (a * u + b * v + c) / w, (d * u + e * v + f) / w
    return (a - x * g) / w, (b - x * h) / w, (d - y * g) / w, (e - y * h) / w


def lattice(
    reach: Quad, width: float, height: float, of: tuple[int, int, int, int], border: int
) -> tuple[int, int, int, int]:
    """The `Lattice` of boxes that are read about places in `reach`: all if that has no bound, or places come back.

    of: wide, high, across and down of `Boxes`.

    border: how the canvas goes on for boxes that reach beyond it, as far as they can be read, or INSIDE.
    """
    wide, high, across, down = of
    low_x, low_y, high_x, high_y = -_FAR, -_FAR, _FAR, _FAR
    if is_bounded(reach) and border not in (REFLECT, WRAP):
        low_x, low_y, high_x, high_y = _extent(reach)
    first, columns = _read_between(low_x, high_x, wide, across, int(width), border)
    upper, rows = _read_between(low_y, high_y, high, down, int(height), border)
    return first * across, upper * down, columns, rows


def _read_between(low: float, high: float, wide: int, apart: int, side: int, border: int) -> tuple[int, int]:
    """Number of the first box that bilinear reading from low to high touches, and of boxes: at least one."""
    first, end = 0, -(-max(side - wide, 0) // apart) + 1
    if border == CONSTANT:
        # those that hold a pixel
        first, end = -((wide - 1) // apart), -(-side // apart)
    elif border == WRAP:
        end = -(-side // apart)
    elif border == REPLICATE:
        # until they hold the outermost pixel alone
        first, end = (1 - wide) // apart, -(-(side - 1) // apart) + 1
    elif border == REFLECT:
        # until their middles are those of the outermost pixels
        first, end = (1 - wide) // (2 * apart), -((wide + 1 - 2 * side) // (2 * apart)) + 1
    low, high = max(min(low, _FAR), -_FAR), max(min(high, _FAR), -_FAR)
    first = min(max(math.floor((low - 1.0 - wide / 2.0) / apart), first), end - 1)
    end = max(min(math.floor((high + 1.0 - wide / 2.0) / apart) + 2, end), first + 1)
    return first, end - first


def within(points: Quad, width: float, height: float, margin_x: float, margin_y: float) -> bool:
    """Whether all points lie on the canvas, so many pixels from its edges. Points that are not finite do not."""
    left, top = margin_x - _TINY, margin_y - _TINY
    right, bottom = width - left, height - top
    on_canvas = True
    for x, y in points:
        on_canvas = on_canvas and left <= x <= right and top <= y <= bottom
    return on_canvas


def is_bounded(points: Quad) -> bool:
    """Whether all points are finite."""
    finite = True
    for x, y in points:
        finite = finite and math.isfinite(x) and math.isfinite(y)
    return finite


def _softness(forward: Matrix, width: float, height: float) -> Point:
    """Width and height, in pixels of a canvas, of what the output's middle pixel shows of it; at least 1."""
    if is_affine(forward):
        pace_x, pace_y = length(forward[0], forward[3]), length(forward[1], forward[4])
    else:
        x, y = _source(forward, width / 2.0, height / 2.0)
        pace_x, pace_y = steps(forward, x, y)
    return max(1.0, 1.0 / max(pace_x, 1e-6)), max(1.0, 1.0 / max(pace_y, 1e-6))


def _source(matrix: Matrix, u: float, v: float) -> Point:
    """The point that `matrix` moves to (u, v)."""
    a, b, c, d, e, f, g, h, i = matrix
    p, q, r, s = a - u * g, b - u * h, d - v * g, e - v * h
    m, n = u * i - c, v * i - f
    determinant = p * s - q * r
    return (m * s - q * n) / determinant, (p * n - m * r) / determinant


def _corners(width: float, height: float, margin_x: float, margin_y: float) -> Quad:
    return _upright(margin_x, margin_y, width - margin_x, height - margin_y)


def _extent(points: Quad) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    (a, b), (c, d), (e, f), (g, h) = points
    return min(a, c, e, g), min(b, d, f, h), max(a, c, e, g), max(b, d, f, h)


def _grown(points: Quad, by: float) -> Quad:
    """The upright rectangle about points, `by` larger on every side."""
    if not is_bounded(points):
        return NOWHERE, NOWHERE, NOWHERE, NOWHERE
    left, top, right, bottom = _extent(points)
    return _upright(left - by, top - by, right + by, bottom + by)


def _upright(left: float, top: float, right: float, bottom: float) -> Quad:
    return (left, top), (right, top), (right, bottom), (left, bottom)
