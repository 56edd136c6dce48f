"""Coverage: how much of each pixel lies inside a closed line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.tensors import Size

Outline = NDArray[np.float64]
"""(n, 2): x, y."""
Coverage = NDArray[np.float32]
"""(H, W), 0..1."""
_LINES = 4
"""Lines read within a pixel: along a line coverage is exact, across lines in quarters."""
_MOST_CROSSINGS = 1_000_000
"""No honest outline crosses so many lines; one that does is drawn from fewer of its points, in bounded time."""


class Patch(NamedTuple):
    """The part of a canvas that an outline may touch: its top left pixel, and coverage from there on."""

    left: int
    top: int
    inside: Coverage


def patch(outline: Outline, size: Size) -> Patch | None:
    """An outline's coverage where it lies on a canvas; None where it does not."""
    low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
    left, top = max(int(low[0]), 0), max(int(low[1]), 0)
    right, bottom = min(int(high[0]), size.width), min(int(high[1]), size.height)
    if right <= left or bottom <= top:
        return None
    return Patch(left, top, coverage(outline - (left, top), Size(bottom - top, right - left)))


def coverage(outline: Outline, size: Size) -> Coverage:
    """The share of each pixel of a canvas inside an outline (n, 2) of x and y, closed from its last point to its first.

    Signed areas are added up along each line from where an edge crosses it, as font rasterizers do (R. Levien, font-rs).
    """
    height, width = size
    start, end, down, first, counts = _crossings(outline, height * _LINES)
    while counts.sum() > _MOST_CROSSINGS:
        outline = outline[::2]
        start, end, down, first, counts = _crossings(outline, height * _LINES)
    edges = np.repeat(np.arange(len(outline)), counts)
    line = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    y = (line + 0.5) / _LINES
    upper, lower = start[edges], end[edges]
    x = upper[:, 0] + (y - upper[:, 1]) * (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
    x = np.clip(x, 0.0, float(width))
    column = np.floor(x).astype(np.int64)
    beyond = x - column
    place = line // _LINES * (width + 2) + column
    both = np.concatenate([place, place + 1])
    areas = np.concatenate([down[edges] * (1.0 - beyond), down[edges] * beyond])
    changes = np.bincount(both, areas, height * (width + 2)).reshape(height, width + 2)
    inside = np.abs(np.cumsum(changes, axis=1)[:, :width]) / _LINES
    return np.minimum(inside, 1.0).astype(np.float32)


def _crossings(outline: Outline, lines: int) -> tuple[Outline, Outline, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of each edge: its upper and lower end, 1 if it goes down and -1 if up, the first line it crosses, and how many."""
    start, end = outline, np.roll(outline, -1, axis=0)
    down = np.where(start[:, 1] < end[:, 1], 1.0, -1.0)
    upper, lower = (np.where((down > 0)[:, None], *pair) for pair in ((start, end), (end, start)))
    first, last = (np.clip(np.ceil(point[:, 1] * _LINES - 0.5), 0, lines).astype(np.int64) for point in (upper, lower))
    return upper, lower, down, first, last - first
