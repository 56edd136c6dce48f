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


def shrinking(links: Sequence[Link]) -> tuple[int, int]:
    """Columns and rows of the source that fit into one output pixel wherever the chain shrinks least; at least 1."""
    forward = IDENTITY
    for link in links:
        forward = multiply(link.forward, forward)
    height, width = links[-1].size_out
    most_x = most_y = 1e-9
    if is_affine(forward):
        most_x, most_y = max(most_x, math.hypot(forward[0], forward[3])), max(most_y, math.hypot(forward[1], forward[4]))
    else:
        back = IDENTITY
        for link in links:
            back = multiply(back, link.back)
        shown = moved_few(back, [(x * width, y * height) for x in (0.02, 0.5, 0.98) for y in (0.02, 0.5, 0.98)])
        for x, y in shown:
            if not math.isnan(x):
                step_x, step_y = steps(forward, x, y)
                most_x, most_y = max(most_x, step_x), max(most_y, step_y)
    size = links[0].size_in
    return min(max(int(1.0 / most_x + 1e-6), 1), size.width), min(max(int(1.0 / most_y + 1e-6), 1), size.height)


class Box(NamedTuple):
    """Columns left .. right and rows top .. bottom of a canvas, in pixels, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int


def needed(reach: Sequence[Point], size: Size, shrink_x: int, shrink_y: int) -> Box:
    """The part of a canvas that is read within `reach`, in whole boxes; all of it if that has no bound."""
    if not is_bounded(reach):
        return Box(0, 0, size.width, size.height)
    left, right = _boxed(min(x for x, _ in reach), max(x for x, _ in reach), shrink_x, size.width)
    top, bottom = _boxed(min(y for _, y in reach), max(y for _, y in reach), shrink_y, size.height)
    return Box(left, top, right, bottom)


def _boxed(low: float, high: float, shrink: int, side: int) -> tuple[int, int]:
    """Pixels that bilinear reading from low to high touches, in whole boxes and on the canvas; at least one box."""
    first, last = math.floor((low - 1.0) / shrink) - 1, math.floor((high + 1.0) / shrink) + 2
    first = min(max(first, 0), (side - 1) // shrink)
    return first * shrink, min(max(last, first + 1) * shrink, side)


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
