"""Blurs: the compiled kernel of separable weighted sums on a picture's planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.intrinsics import Floats, weigh_16, weigh_32, weigh_64, weigh_128

f32 = np.float32
Indices = NDArray[np.int64]


def weigh(
    planes: NDArray[np.float32],
    width: int,
    height: int,
    weights: Floats,
    columns: Indices,
    rows: Indices,
    scratch: Floats,
) -> None:
    """Each of `planes` (3, height width) becomes sums over rows, then columns, of neighbours times `weights`, at most 1.

    columns, rows: which pixel is seen at each place of the window's way along a row, or a column: as many as the side is
    long and weights less one. scratch: at least (height + 2) times the width rounded up to 16, and the weights' number.
    Sums run in the weights' order, so nothing changes their bytes.
    """
    taps = weights.size
    stride = (width + 15) // 16 * 16
    along = np.arange(taps)
    down = np.empty(taps, np.int64)
    padded = scratch[height * stride : height * stride + stride + taps]
    padded[:] = f32(0.0)
    result = scratch[(height + 1) * stride + taps :]
    for channel in range(planes.shape[0]):
        plane = planes[channel]
        ready = 0
        for y in range(height):
            last = 0
            for j in range(taps):
                row = rows[y + j]
                down[j] = row * stride
                last = max(last, row)
            # a row's sums are made just before they are first needed, so they are still in the nearest cache
            while ready <= last:
                weigh_row(
                    plane[ready * width : (ready + 1) * width], columns, weights, along, padded, scratch, ready * stride
                )
                ready += 1
            weigh_line(result, 0, scratch, stride, down, weights)
            line = plane[y * width : (y + 1) * width]
            for x in range(width):
                line[x] = min(result[x], f32(1.0))


def mirrored(side: int, reach: int) -> Indices:
    """As `stencils.mirror`: which of `side` places is seen at -reach ... side - 1 + reach."""
    seen = np.empty(side + 2 * reach, np.int64)
    for place in range(seen.size):
        turned = (place - reach) % (2 * side)
        seen[place] = min(turned, 2 * side - 1 - turned)
    return seen


def weigh_row(
    line: Floats, columns: Indices, weights: Floats, along: Indices, padded: Floats, scratch: Floats, at: int
) -> None:
    """scratch[at :] = sums along a row; `padded` is where the row is laid out with what is seen beyond its ends."""
    width, taps = line.size, weights.size
    before = taps // 2
    for j in range(before):
        padded[j] = line[columns[j]]
    inner = padded[before : before + width]
    for x in range(width):
        inner[x] = line[x]
    for j in range(before + width, width + taps - 1):
        padded[j] = line[columns[j]]
    weigh_line(scratch, at, padded, (width + 15) // 16 * 16, along, weights)


def weigh_line(result: Floats, to: int, source: Floats, count: int, offsets: Indices, weights: Floats) -> None:
    """`weigh_16` of `count` values, a multiple of 16, from source[0] on: as many at once as there are."""
    x = 0
    while count - x >= 128:
        weigh_128(result, to + x, source, x, offsets, weights)
        x += 128
    if count - x >= 64:
        weigh_64(result, to + x, source, x, offsets, weights)
        x += 64
    if count - x >= 32:
        weigh_32(result, to + x, source, x, offsets, weights)
        x += 32
    if count - x >= 16:
        weigh_16(result, to + x, source, x, offsets, weights)
