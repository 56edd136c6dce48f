"""Boxes: the compiled kernel that sums boxes of a picture's pixels, for chains that shrink. Boxes may overlap."""

from __future__ import annotations

import numpy as np

from kernels.cpu.intrinsics import STRETCH, Bytes, Floats, Levels, Sums, rint32, sum_boxes

f32 = np.float32


def shrink(
    source: Bytes,
    width: int,
    height: int,
    left: int,
    top: int,
    columns: int,
    rows: int,
    wide: int,
    high: int,
    across: int,
    down: int,
    filled: bool,
    fill: Floats,
    result: Sums,
) -> None:
    """Sums of boxes `wide` x `high` of (height, width) RGB pixels, `across` and `down` apart: (rows, columns, 3), flat.

    The first box begins at (left, top). What boxes lack that reach beyond the picture is made up with `fill` (3 levels
    0..255) if `filled`, else with the mean of what they hold, and rounded where the result holds whole numbers.
    """
    # boxes that hold all of their columns, and the first column that they hold
    first = min(-(left // across) if left < 0 else 0, columns)
    last = max(min((width - wide - left) // across + 1, columns), first)
    begin = left + first * across
    # one pixel apart first, then those that are wanted: a vector holds values side by side
    beside = 3 * ((last - first - 1) * across + 1)
    totals = np.empty(beside + 3 * (wide - 1) if across > 1 and last > first else 0, result.dtype)
    every = np.empty(beside if across > 1 and last > first else 0, result.dtype)
    for row in range(rows):
        start = top + row * down
        boxes = result[3 * row * columns : 3 * (row + 1) * columns]
        if start < 0 or start + high > height:
            for box in range(columns):
                cut_box(source, width, height, left + box * across, start, wide, high, filled, fill, boxes, 3 * box)
            continue
        if last > first:
            lines = source[3 * (start * width + begin) :]
            if across == 1:
                sum_side_by_side(lines, 3 * width, high, wide, beside, boxes[3 * first :])
            else:
                sum_side_by_side(lines, 3 * width, high, 1, totals.size, totals)
                sum_side_by_side(totals, 0, 1, wide, beside, every)
                pick(every, 3 * across, last - first, boxes[3 * first :])
        for box in range(first):
            cut_box(source, width, height, left + box * across, start, wide, high, filled, fill, boxes, 3 * box)
        for box in range(last, columns):
            cut_box(source, width, height, left + box * across, start, wide, high, filled, fill, boxes, 3 * box)


def sum_side_by_side(source: Levels, stride: int, high: int, wide: int, count: int, sums: Sums) -> None:
    """sums[: count], one after the other: whole numbers, exact in any order."""
    if count < STRETCH:
        for j in range(count):
            total = f32(0.0)
            for line in range(high):
                for place in range(wide):
                    total += f32(source[line * stride + 3 * place + j])
            sums[j] = total
        return
    for j in range(0, count, STRETCH):
        # the last ones begin early
        place = min(j, count - STRETCH)
        sum_boxes(source, place, stride, high, wide, sums, place)


def pick(every: Sums, apart: int, columns: int, boxes: Sums) -> None:
    """Every so many'th of a row's boxes."""
    for box in range(columns):
        boxes[3 * box] = every[apart * box]
        boxes[3 * box + 1] = every[apart * box + 1]
        boxes[3 * box + 2] = every[apart * box + 2]


def cut_box(
    source: Bytes,
    width: int,
    height: int,
    left: int,
    top: int,
    wide: int,
    high: int,
    filled: bool,
    fill: Floats,
    boxes: Sums,
    to: int,
) -> None:
    """A box that reaches beyond the picture."""
    begin, end = max(left, 0), min(left + wide, width)
    upper, lower = max(top, 0), min(top + high, height)
    held, full = f32((end - begin) * (lower - upper)), f32(wide * high)
    for channel in range(3):
        total = f32(0.0)
        for row in range(upper, lower):
            for column in range(begin, end):
                total += f32(source[3 * (row * width + column) + channel])
        if filled:
            total += (full - held) * fill[channel]
        else:
            total *= full / held
        boxes[to + channel] = rint32(total) if boxes.itemsize == 2 else total
