"""Scatter: many small things at random places of a picture, each from numbers of its own: drops, flakes, stones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import words
from kernels.arrays import Plane
from kernels.tensors import Size

Column = NDArray[np.float64]
"""(n,): a number of each thing."""


def numbers(count: int, seed: tuple[int, int], channel: int) -> Column:
    """A number in (0, 1) for each of `count` things; four channels."""
    return torch.as_tensor(words.TORCH["uniform"](torch.arange(count), seed, channel)).double().numpy()


def streaks(size: Size, x: Column, y: Column, length: Column, lean: float, width: float, strength: Column) -> Plane:
    """(H, W) float32 0..1: the strongest streak at each pixel. Each begins at (x, y) and goes down by `length` pixels.

    lean: pixels to the right for one down; width: across, in pixels. Edges are soft over one pixel, along rows.
    """
    shown = np.zeros(size, np.float32)
    first, last = np.ceil(y - 0.5), np.ceil(y + length - 0.5)
    first, last = (np.clip(row, 0, size.height).astype(np.int64) for row in (first, last))
    counts = np.maximum(last - first, 0)
    drop = np.repeat(np.arange(len(x)), counts)
    row = np.arange(len(drop)) - np.repeat(np.cumsum(counts) - counts, counts) + first[drop]
    middle = x[drop] + lean * (row + 0.5 - y[drop])
    reach = (width + 1.0) / 2.0
    begin = np.ceil(middle - reach - 0.5).astype(np.int64)
    for place in range(int(np.ceil(width + 1.0)) + 1):
        column = begin + place
        covered = np.clip(reach - np.abs(column + 0.5 - middle), 0.0, min(width, 1.0)) * strength[drop]
        there = (column >= 0) & (column < size.width) & (covered > 0.0)
        np.maximum.at(shown, (row[there], column[there]), covered[there].astype(np.float32))
    return shown


def discs(size: Size, x: Column, y: Column, radius: Column, softness: float) -> Plane:
    """(H, W) float32 0..1: the strongest disc at each pixel; edges are soft over `softness` pixels at least 1."""
    shown = np.zeros(size, np.float32)
    soft = max(softness, 1.0)
    for middle_x, middle_y, far in zip(x.tolist(), y.tolist(), radius.tolist(), strict=True):
        reach = far + soft / 2.0
        left, right = max(int(middle_x - reach), 0), min(int(middle_x + reach) + 1, size.width)
        top, bottom = max(int(middle_y - reach), 0), min(int(middle_y + reach) + 1, size.height)
        if left >= right or top >= bottom:
            continue
        across, down = np.arange(left, right) + 0.5 - middle_x, np.arange(top, bottom) + 0.5 - middle_y
        distance = np.sqrt(across * across + (down * down)[:, None])
        inside = np.clip((far - distance) / soft + 0.5, 0.0, 1.0).astype(np.float32)
        target = shown[top:bottom, left:right]
        np.maximum(target, inside, out=target)
    return shown
