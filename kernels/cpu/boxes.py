"""Boxes: the compiled kernel that sums whole boxes of a picture's pixels, for chains that shrink."""

from __future__ import annotations

import numpy as np

from kernels.cpu.intrinsics import Bytes, Floats, halve_pixels

f32 = np.float32


def shrink(
    source: Bytes,
    stride: int,
    start: int,
    columns: int,
    rows: int,
    wide: int,
    high: int,
    filled: bool,
    fill: Floats,
    result: Floats,
) -> None:
    """Sums of boxes `wide` x `high` of `columns` x `rows` RGB pixels: result (ceil, ceil, 3), flat.

    The part of the picture begins at source[start]; its rows are `stride` bytes apart. What the last boxes lack is made
    up with `fill` (3 levels 0..255) if `filled`, else with the mean of what they hold.
    """
    across, down = -(-columns // wide), -(-rows // high)
    totals = np.empty(3 * columns, np.int32)
    full = wide * high
    for row in range(down):
        at, to = start + row * high * stride, row * across * 3
        tall = min(high, rows - row * high)
        done = 0
        if wide == 2 and high == 2 and tall == 2:
            while done + 16 <= columns // 2:
                halve_pixels(source, at + 6 * done, stride, result, to + 3 * done)
                done += 16
        first = 3 * wide * done
        for j in range(first, 3 * columns):
            totals[j] = source[at + j]
        for line in range(1, tall):
            for j in range(first, 3 * columns):
                totals[j] += source[at + line * stride + j]
        for box in range(done, across):
            broad = min(wide, columns - box * wide)
            for channel in range(3):
                total = np.int64(0)
                for j in range(broad):
                    total += totals[3 * (box * wide + j) + channel]
                value = f32(total)
                if filled:
                    value += f32(full - broad * tall) * fill[channel]
                elif broad * tall != full:
                    value = value * (f32(full) / f32(broad * tall))
                result[to + 3 * box + channel] = value
