"""Tables: 256 values, one for each level, and the counts of levels that they are made from.

Pictures are rounded to 8 bits first, so a table is read without interpolation.
"""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

_EXACT = 2**24
Counts = NDArray[np.int64]
"""(256,): how many values have each level."""
Levels = NDArray[np.uint8]
Table = NDArray[np.float32]
"""(256,): what each level becomes, 0..1."""


def levels(image: torch.Tensor) -> torch.Tensor:
    """Values 0..1 as levels 0..255, uint8, halves to the even level."""
    if image.device.type != "cpu":
        return (image * 255.0).round_().to(torch.uint8)
    rows = image.contiguous().view(-1, image.shape[-1]).numpy()
    return torch.from_numpy(cv2.convertScaleAbs(rows, alpha=255.0)).view(image.shape)


def grey_levels(planes: torch.Tensor) -> torch.Tensor:
    """(H, W) uint8: the levels of the grey picture (ITU-R BT.601) of (3, H, W) planes, halves rounded up."""
    # whole numbers: a mean of levels that ends in a half is rounded alike on every machine
    red, green, blue = levels(planes).to(torch.int32)
    return torch.div(299 * red + 587 * green + 114 * blue + 500, 1000, rounding_mode="floor").to(torch.uint8)


def counted(values: torch.Tensor) -> Counts:
    """How often each level occurs among uint8 values."""
    if values.device.type != "cpu":
        counts: Counts = torch.bincount(values.flatten().to(torch.int64), minlength=256).cpu().numpy()
        return counts
    line = values.contiguous().view(-1).numpy()
    total = np.zeros(256, np.int64)
    for first in range(0, line.size, _EXACT):
        # OpenCV counts in floats, which are exact so far
        total += cv2.calcHist([line[first : first + _EXACT]], [0], None, [256], [0, 256]).reshape(-1).astype(np.int64)
    return total


def looked_up(values: torch.Tensor, table: Table) -> torch.Tensor:
    """uint8 levels as a table says, float32."""
    if values.device.type != "cpu":
        return torch.from_numpy(table).to(values.device)[values.to(torch.int64)]
    return torch.from_numpy(cv2.LUT(values.contiguous().view(-1, values.shape[-1]).numpy(), table)).view(values.shape)


def equalizing(counts: Counts) -> Table:
    """The table that spreads the levels evenly, as that of Pillow's ImageOps.equalize; a single level stays."""
    step = int(counts.sum() - counts[counts.nonzero()[0][-1]]) // 255
    if step == 0:
        return np.asarray(np.arange(256) / 255.0, dtype=np.float32)
    below = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(np.minimum((below + step // 2) // step, 255) / 255.0, dtype=np.float32)


def equalized(pixels: Levels) -> Levels:
    """(H, W, 3) levels, each channel by its own `equalizing` table."""
    # channel by channel: OpenCV looks up one table several times as fast as three side by side
    made = []
    for channel in cv2.split(pixels):
        table = np.rint(equalizing(counted(torch.from_numpy(channel))) * 255.0).astype(np.uint8)
        made.append(cv2.LUT(channel, table))
    return np.asarray(cv2.merge(made), dtype=np.uint8)


def otsu(counts: Counts) -> int:
    """The level up to which values are one group, those above it another: the groups' means are as far apart as can be.

    Otsu (1979): the variance between the groups is largest; the lowest such level.
    """
    total, weight = int(counts.sum()), int((counts * np.arange(256)).sum())
    numbers, weights = np.cumsum(counts).tolist(), np.cumsum(counts * np.arange(256)).tolist()

    def between(level: int) -> Fraction:
        number = numbers[level]
        if number in (0, total):
            return Fraction(0)
        return Fraction((weights[level] * total - number * weight) ** 2, number * (total - number))

    # fractions, because two levels with the same variance must be seen to have it
    return max(range(256), key=lambda level: (between(level), -level))
