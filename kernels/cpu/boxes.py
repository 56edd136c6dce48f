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
    totals = np.empty(3 * columns, np.float32)
    for row in range(down):
        at = start + row * high * stride
        tall = min(high, rows - row * high)
        boxes = result[row * across * 3 : (row + 1) * across * 3]
        done = 0
        if wide == 2 and tall <= 2:
            # a row added to itself, and halved, is itself
            below = stride if tall == 2 else 0
            for done in range(0, columns // 2 - 15, 16):
                halve_pixels(source, at + 6 * done, below, boxes, 3 * done)
            done = columns // 2 // 16 * 16
            if tall == 1:
                for j in range(3 * done):
                    boxes[j] *= f32(0.5)
        if wide == 1:
            sum_rows(source[at:], stride, 3 * columns, tall, boxes)
        else:
            sum_rows(source[at + 6 * done :], stride, 3 * columns - 6 * done, tall, totals)
            sum_columns(totals, columns - 2 * done, wide, boxes[3 * done :])
        complete(boxes, columns, wide, high, tall, filled, fill)


def sum_rows(source: Bytes, stride: int, count: int, tall: int, totals: Floats) -> None:
    """totals[: count] = the sum of `tall` rows; whole numbers below 2^24, so exact in any order."""
    first = source[:count]
    for j in range(count):
        totals[j] = f32(first[j])
    for line in range(1, tall):
        following = source[line * stride : line * stride + count]
        for j in range(count):
            totals[j] += f32(following[j])


def sum_columns(totals: Floats, columns: int, wide: int, boxes: Floats) -> None:
    """boxes = sums of every `wide` RGB pixels of a row of `columns`; the last one of those that are left."""
    for box in range(-(-columns // wide)):
        red, green, blue = f32(0.0), f32(0.0), f32(0.0)
        for j in range(box * wide, min((box + 1) * wide, columns)):
            red += totals[3 * j]
            green += totals[3 * j + 1]
            blue += totals[3 * j + 2]
        boxes[3 * box], boxes[3 * box + 1], boxes[3 * box + 2] = red, green, blue


def complete(boxes: Floats, columns: int, wide: int, high: int, tall: int, filled: bool, fill: Floats) -> None:
    """Makes up what a row's boxes lack of wide x high pixels: all of them if the row is the last, or the last box."""
    across = boxes.size // 3
    for box in range(0 if tall < high else across - 1, across):
        held = min(wide, columns - box * wide) * tall
        if held == wide * high:
            continue
        for channel in range(3):
            if filled:
                boxes[3 * box + channel] += f32(wide * high - held) * fill[channel]
            else:
                boxes[3 * box + channel] *= f32(wide * high) / f32(held)
