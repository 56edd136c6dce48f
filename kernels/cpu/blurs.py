"""Blurs: the compiled kernel of separable weighted sums on a picture's planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.intrinsics import Floats, weigh_block, weigh_values

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
    blocks = stride // 64 * 64
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
            for x in range(0, blocks, 64):
                weigh_block(result, x, scratch, x, down, weights)
            for x in range(blocks, stride, 16):
                weigh_values(result, x, scratch, x, down, weights)
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
    stride = (width + 15) // 16 * 16
    blocks = stride // 64 * 64
    for x in range(0, blocks, 64):
        weigh_block(scratch, at + x, padded, x, along, weights)
    for x in range(blocks, stride, 16):
        weigh_values(scratch, at + x, padded, x, along, weights)
