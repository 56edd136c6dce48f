"""Outlines as coverage: how much of each pixel lies inside a closed line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.tensors import Size

Coverage = NDArray[np.float32]
"""(H, W), 0..1."""
_ROWS = 4
"""Lines read within a pixel: along a line coverage is exact, across lines in quarters."""


def coverage(outline: NDArray[np.float64], size: Size) -> Coverage:
    """The share of each pixel of a canvas inside an outline (n, 2) of x and y, closed from its last point to its first.

    Signed areas are added up along each line from where an edge crosses it, as font rasterizers do (R. Levien, font-rs).
    """
    height, width = size
    start, end = outline, np.roll(outline, -1, axis=0)
    down = np.where(start[:, 1] < end[:, 1], 1.0, -1.0)
    top, bottom = (np.where((down > 0)[:, None], *pair) for pair in ((start, end), (end, start)))
    lines = height * _ROWS
    first, last = (np.clip(np.ceil(point[:, 1] * _ROWS - 0.5), 0, lines).astype(np.int64) for point in (top, bottom))
    counts = last - first
    edges = np.repeat(np.arange(len(outline)), counts)
    line = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    y = (line + 0.5) / _ROWS
    upper, lower = top[edges], bottom[edges]
    x = upper[:, 0] + (y - upper[:, 1]) * (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
    x = np.clip(x, 0.0, float(width))
    column = np.floor(x).astype(np.int64)
    beyond = x - column
    place = line // _ROWS * (width + 2) + column
    both = np.concatenate([place, place + 1])
    areas = np.concatenate([down[edges] * (1.0 - beyond), down[edges] * beyond])
    changes = np.bincount(both, areas, height * (width + 2)).reshape(height, width + 2)
    inside = np.abs(np.cumsum(changes, axis=1)[:, :width]) / _ROWS
    return np.minimum(inside, 1.0).astype(np.float32)
