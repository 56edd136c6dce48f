"""Palettes: few whole colours that stand for all of a picture's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Colors = NDArray[np.float32]
"""(n, 3): whole levels 0..255, so that distances are exact."""
_SAMPLE = 64
"""Pixels looked at along each side."""
_ROUNDS = 10
_AT_ONCE = 1 << 18


def palette(pixels: Bytes, colors: int) -> Colors:
    """At most so many colours of (H, W, 3) pixels, each the mean, rounded, of those that are nearest to it.

    The first start is the darkest colour, each other one the colour farthest from all that have been taken.
    """
    height, width = pixels.shape[:2]
    rows, columns = (np.arange(min(side, _SAMPLE)) * side // min(side, _SAMPLE) for side in (height, width))
    sample = pixels[rows][:, columns].reshape(-1, 3).astype(np.int64)
    away = (sample**2).sum(axis=1)
    chosen = sample[[away.argmin()]]
    away = ((sample - chosen) ** 2).sum(axis=1)
    while len(chosen) < colors and away.max() > 0:
        farthest = sample[[away.argmax()]]
        chosen = np.concatenate([chosen, farthest])
        away = np.minimum(away, ((sample - farthest) ** 2).sum(axis=1))
    for _ in range(_ROUNDS):
        owner = nearest(sample, chosen.astype(np.float32))
        number = np.bincount(owner, minlength=len(chosen))
        sums = np.stack([np.bincount(owner, sample[:, channel], len(chosen)) for channel in range(3)], axis=1)
        # whole numbers, halves up; a colour that nobody is nearest to stays
        means = np.floor(sums / np.maximum(number, 1)[:, None] + 0.5).astype(np.int64)
        chosen = np.where(number[:, None] > 0, means, chosen)
    return np.asarray(chosen, dtype=np.float32)


def nearest(pixels: NDArray[np.generic], colors: Colors) -> NDArray[np.int64]:
    """Which of the colours is nearest to each of (n, 3) pixels in whole levels; the first of several."""
    owner = np.empty(len(pixels), np.int64)
    squares = (colors**2).sum(axis=1)
    for start in range(0, len(pixels), _AT_ONCE):
        part = pixels[start : start + _AT_ONCE].astype(np.float32)
        # whole numbers below 2^24 all along: the product is exact in any order
        owner[start : start + _AT_ONCE] = (squares - 2.0 * (part @ colors.T)).argmin(axis=1)
    return owner
