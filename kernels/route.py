"""Routes: where a chain of geometric steps leads back to, worked out in plain numbers before any pixel is touched.

An output pixel is followed back from the last step to the first. Every canvas on the way is honoured: a point that lies
outside it is folded (replicate, reflect, wrap) or covered by that step's fill (constant). The plain product of the
matrices would show again what an earlier step had cut away; it is used only between canvases that the chain cannot leave.
`kernels.chain` walks a route with whole tensors, `kernels.cpu` tile by tile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kernels.matrices import IDENTITY, NOWHERE, Point, is_affine, moved_few, multiply, steps
from kernels.op import Matrix
from kernels.params import Border
from kernels.tensors import Size

if TYPE_CHECKING:
    import torch

    from kernels.chain import Link

Fill = tuple[float, float, float]
_TINY = 1e-6


class Shift(NamedTuple):
    """Points moved by `matrix`, then by a displacement field, which is read at its pixels' centres if `on_pixels`."""

    matrix: Matrix
    field: torch.Tensor
    on_pixels: bool


class Canvas(NamedTuple):
    """Points moved by `matrix` onto a canvas that some of them may have left, and brought back onto it.

    They end at least `margins` (x, y) pixels from its edges. `softness` (x, y) is how many of its pixels one output
    pixel shows: the width of the edge where `border` is constant.
    """

    matrix: Matrix
    size: Size
    border: Border
    fill: Fill
    softness: Point
    margins: Point


class Route(NamedTuple):
    """The way of output pixel centres to the first canvas: `steps` in order, then `matrix`.

    reach: a quadrilateral's corners on the first canvas that holds every such place; not finite if a perspective has no
    bound.
    """

    steps: tuple[Shift | Canvas, ...]
    matrix: Matrix
    reach: tuple[Point, ...]


def route(links: Sequence[Link]) -> Route:
    """The route back from the last link's output to the first link's input; the first canvas itself is not folded."""
    output = links[-1].size_out
    matrix = forward = IDENTITY
    region = reach = _corners(output, 0.5, 0.5)
    found: list[Shift | Canvas] = []
    for number in range(len(links) - 1, -1, -1):
        link = links[number]
        if link.displacement is None:
            matrix = multiply(link.back, matrix)
            reach = moved_few(matrix, region)
        else:
            found.append(Shift(matrix, link.displacement, not found and matrix == IDENTITY))
            reach = region = _grown(moved_few(matrix, region), float(link.displacement.abs().max()))
            matrix = IDENTITY
        if number == 0:
            break
        forward = multiply(forward, link.forward)
        softness = _softness(forward, output)
        margins = min(softness[0], link.size_in.width) / 2, min(softness[1], link.size_in.height) / 2
        if within(reach, link.size_in, *margins):
            continue
        # between the outermost pixel centres: beyond them the edge is read as it is, and no other canvas's outside shows
        found.append(Canvas(matrix, link.size_in, link.border, link.fill, softness, margins))
        matrix, region = IDENTITY, _corners(link.size_in, *margins)
        reach = region
    return Route(tuple(found), matrix, reach)


class Boxes(NamedTuple):
    """What a source is summed over before it is read: boxes of wide x high pixels, `across` and `down` pixels apart."""

    wide: int
    high: int
    across: int
    down: int

    @property
    def is_needed(self) -> bool:
        """Whether they are of more than a pixel."""
        return self.wide > 1 or self.high > 1


def boxes(links: Sequence[Link]) -> Boxes:
    """The boxes by which a chain that shrinks is smoothed, by how it shrinks in the middle of the output."""
    back = IDENTITY
    for link in links:
        back = multiply(back, link.back)
    size = links[0].size_in
    a, b, d, e = _paces(back, links[-1].size_out)
    area = abs(a * e - b * d)
    wide, across = _side(area / max(math.hypot(d, e), _TINY), size.width)
    high, down = _side(area / max(math.hypot(a, b), _TINY), size.height)
    if is_affine(back) and b == d == 0.0:
        wide, across = _whole(abs(a), back[2], size.width) or (wide, across)
        high, down = _whole(abs(e), back[5], size.height) or (high, down)
    return Boxes(wide, high, across, down)


def _side(fit: float, side: int) -> tuple[int, int]:
    """Pixels of a box and from one to the next, along a side of the source of which `fit` pixels fit into an output pixel.

    Boxes overlap by half or more. A side of `fit` pixels has the variance fit^2 / 12, a box wide^2 / 12, and reading
    bilinearly between boxes adds apart^2 / 6: `wide` makes both alike, to a whole number, rather too large than too small.
    From a fit of the root of 3 up, reading between single pixels is too sharp.
    """
    apart = max(int(fit / 2.2), 1)
    ideal = math.sqrt(max(fit * fit - 2 * apart * apart, 0.0))
    wide = max(int(ideal + 0.75), 2 if ideal > 1.0 else 1)
    return min(wide, side), min(apart, side)


def _whole(length: float, start: float, side: int) -> tuple[int, int] | None:
    """Boxes beside each other, if each output pixel is one; the first begins at `start`, as many pixels are in it."""
    whole = round(length)
    if whole < 2 or whole > side or abs(length - whole) > _TINY or abs(start / whole - round(start / whole)) > _TINY:
        return None
    return whole, whole


def _paces(back: Matrix, output: Size) -> tuple[float, float, float, float]:
    """Source pixels from the output's middle pixel to the next, in x along its row and down its column, then in y."""
    a, b, c, d, e, f, g, h, i = back
    u, v = output.width / 2, output.height / 2
    w = g * u + h * v + i
    if w < _TINY:
        return 1.0, 0.0, 0.0, 1.0
    x, y = (a * u + b * v + c) / w, (d * u + e * v + f) / w
    return (a - x * g) / w, (b - x * h) / w, (d - y * g) / w, (e - y * h) / w


class Lattice(NamedTuple):
    """Boxes that are read: `columns` x `rows` of them, the first one from (left, top) on, which may be off the canvas."""

    left: int
    top: int
    columns: int
    rows: int


def lattice(reach: Sequence[Point], size: Size, of: Boxes, border: Border) -> Lattice:
    """The boxes that are read about places in `reach`: all if that has no bound, or places come back onto the canvas.

    A constant border's fill fills up boxes that begin before the canvas or end after it, and `wrap` goes on with the
    other side's pixels; other borders have whole boxes, but for a last one that ends after the canvas.
    """
    low_x = low_y = -math.inf
    high_x = high_y = math.inf
    if is_bounded(reach) and border not in ("reflect", "wrap"):
        low_x, high_x = min(x for x, _ in reach), max(x for x, _ in reach)
        low_y, high_y = min(y for _, y in reach), max(y for _, y in reach)
    left, columns = _read_between(low_x, high_x, of.wide, of.across, size.width, border)
    top, rows = _read_between(low_y, high_y, of.high, of.down, size.height, border)
    return Lattice(left * of.across, top * of.down, columns, rows)


def _read_between(low: float, high: float, wide: int, apart: int, side: int, border: Border) -> tuple[int, int]:
    """Number of the first box that bilinear reading from low to high touches, and of boxes: at least one."""
    first, end = 0, -(-max(side - wide, 0) // apart) + 1
    if border == "constant":
        first, end = -((wide - 1) // apart), -(-side // apart)
    elif border == "wrap":
        end = -(-side // apart)
    if low > -math.inf:
        begin = math.floor((max(low, -1e9) - 1.0 - wide / 2) / apart)
        stop = math.floor((min(high, 1e9) + 1.0 - wide / 2) / apart) + 2
        first = min(max(first, begin), end - 1)
        end = max(min(end, stop), first + 1)
    return first, end - first


def within(points: Sequence[Point], size: Size, margin_x: float, margin_y: float) -> bool:
    """Whether all points lie on the canvas, so many pixels from its edges. Points that are not finite do not."""
    left, top = margin_x - _TINY, margin_y - _TINY
    right, bottom = size.width - left, size.height - top
    return all(left <= x <= right and top <= y <= bottom for x, y in points)


def is_bounded(points: Sequence[Point]) -> bool:
    """Whether all points are finite."""
    return all(math.isfinite(x) and math.isfinite(y) for x, y in points)


def _softness(forward: Matrix, output: Size) -> Point:
    """Width and height, in pixels of a canvas, of what the output's middle pixel shows of it; at least 1."""
    if is_affine(forward):
        pace_x, pace_y = math.hypot(forward[0], forward[3]), math.hypot(forward[1], forward[4])
    else:
        x, y = _source(forward, output.width / 2, output.height / 2)
        pace_x, pace_y = steps(forward, x, y)
    return max(1.0, 1.0 / max(pace_x, 1e-6)), max(1.0, 1.0 / max(pace_y, 1e-6))


def _source(matrix: Matrix, u: float, v: float) -> Point:
    """The point that `matrix` moves to (u, v)."""
    a, b, c, d, e, f, g, h, i = matrix
    p, q, r, s = a - u * g, b - u * h, d - v * g, e - v * h
    m, n = u * i - c, v * i - f
    determinant = p * s - q * r
    return (m * s - q * n) / determinant, (p * n - m * r) / determinant


def _corners(size: Size, margin_x: float, margin_y: float) -> tuple[Point, ...]:
    right, bottom = size.width - margin_x, size.height - margin_y
    return (margin_x, margin_y), (right, margin_y), (right, bottom), (margin_x, bottom)


def _grown(points: Sequence[Point], by: float) -> tuple[Point, ...]:
    if not is_bounded(points):
        return (NOWHERE,) * 4
    left, right = min(x for x, _ in points) - by, max(x for x, _ in points) + by
    top, bottom = min(y for _, y in points) - by, max(y for _, y in points) + by
    return (left, top), (right, top), (right, bottom), (left, bottom)
