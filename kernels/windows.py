"""Percentiles over windows, by sliding histograms: the cost of a pixel does not grow with the window; medians by OpenCV.

S. Perreault, P. Hebert, "Median filtering in constant time" (IEEE TIP 16, 2007): each column of the window keeps a
histogram, the window's is moved by adding one column and taking one away. One of the kernels that numba compiles.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from kernels.cpu.compiled import kernels
from kernels.stencils import mirrored

Bytes = NDArray[np.uint8]


def percentile(image: torch.Tensor, percent: float, size: int) -> torch.Tensor:
    """The value below which `percent` of a size x size window lie; (1, C, H, W) 0..1, rounded to 8 bits first.

    The window's values in order, number int(size^2 percent / 100) counted from 0, the last one for 100: as
    scipy.ndimage.percentile_filter. Runs on the CPU whatever the image's device.
    """
    rounded = (image * 255.0).round_().to(torch.uint8).cpu()
    padded = mirrored(rounded, size)[0].numpy()
    wanted = rank(percent, size)
    if size % 2 and wanted == size * size // 2:
        result = _medians(padded, size)
    else:
        result = np.empty(rounded.shape[1:], dtype=np.uint8)
        kernels().slide(padded, result, size, wanted)
    return (torch.from_numpy(result)[None].to(torch.float32) / 255.0).to(image.device)


def _medians(padded: Bytes, size: int) -> Bytes:
    """The same for the middle value, by OpenCV: networks of comparisons beat histograms up to 5 x 5, vectors beyond."""
    reach = size // 2
    planes = [cv2.medianBlur(np.ascontiguousarray(plane), size) for plane in padded]
    inner = [plane[reach : plane.shape[0] - reach, reach : plane.shape[1] - reach] for plane in planes]
    return np.stack(inner).astype(np.uint8, copy=False)


def rank(percent: float, size: int) -> int:
    """Which value of a size x size window is meant, counted from 0 for the smallest."""
    return min(int(float(size * size) * percent / 100.0), size * size - 1)


def slide(padded: Bytes, result: Bytes, size: int, rank: int) -> None:
    """padded: (C, H + size - 1, W + size - 1); writes result (C, H, W). Counts fit 16 bits for sizes below 256."""
    channels, height, width = result.shape
    for channel in range(channels):
        source = padded[channel]
        columns = np.zeros((source.shape[1], 256), np.uint16)
        coarse_columns = np.zeros((source.shape[1], 16), np.uint16)
        for y in range(size - 1):
            for x in range(source.shape[1]):
                columns[x, source[y, x]] += 1
                coarse_columns[x, source[y, x] >> 4] += 1
        for y in range(height):
            for x in range(source.shape[1]):
                columns[x, source[y + size - 1, x]] += 1
                coarse_columns[x, source[y + size - 1, x] >> 4] += 1
                if y > 0:
                    columns[x, source[y - 1, x]] -= 1
                    coarse_columns[x, source[y - 1, x] >> 4] -= 1
            window = np.zeros(256, np.uint16)
            coarse = np.zeros(16, np.uint16)
            for x in range(size - 1):
                window += columns[x]
                coarse += coarse_columns[x]
            for x in range(width):
                entering, coarse_entering = columns[x + size - 1], coarse_columns[x + size - 1]
                for value in range(256):
                    window[value] += entering[value]
                for value in range(16):
                    coarse[value] += coarse_entering[value]
                seen = np.int64(0)
                value = 0
                while seen + coarse[value] <= rank:
                    seen += coarse[value]
                    value += 1
                value *= 16
                while seen + window[value] <= rank:
                    seen += window[value]
                    value += 1
                result[channel, y, x] = value
                leaving, coarse_leaving = columns[x], coarse_columns[x]
                for value in range(256):
                    window[value] -= leaving[value]
                for value in range(16):
                    coarse[value] -= coarse_leaving[value]
