"""Boxes: the compiled kernel that sums boxes of a picture's pixels, for chains that shrink. Boxes may overlap."""

from __future__ import annotations

import numpy as np

from kernels.cpu.intrinsics import Bytes, Floats, Sums, halve_pixels, pair_pixels, rint32

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
    # columns that any box holds, and the boxes that hold all of theirs
    begin, end = max(left, 0), min(left + (columns - 1) * across + wide, width)
    first = min((begin - left + across - 1) // across, columns)
    last = max(min((end - wide - left) // across + 1, columns), first)
    totals = np.empty(3 * (end - begin), result.dtype)
    for row in range(rows):
        upper = max(top + row * down, 0)
        tall = min(top + row * down + high, height) - upper
        at = 3 * (upper * width + begin)
        boxes = result[row * columns * 3 : (row + 1) * columns * 3]
        inner = boxes[3 * first : 3 * last]
        skipped = 3 * (left + first * across - begin)
        done = 0
        if wide == 2 and high == 2 and tall == 2:
            # two rows of two, sixteen boxes at once
            for done in range(0, (last - first) // 16 * 16, 16):
                if across == 1:
                    pair_pixels(source, at + skipped + 3 * done, 3 * width, inner, 3 * done)
                else:
                    halve_pixels(source, at + skipped + 6 * done, 3 * width, inner, 3 * done)
            done = (last - first) // 16 * 16
        # where the boxes that are left begin, in the row from `begin`
        rest = skipped + 3 * done * across
        if done < last - first or last < columns:
            sum_rows(source[at + rest :], 3 * width, 3 * (end - begin) - rest, tall, totals[rest:])
            sum_columns(totals[rest:], last - first - done, wide, across, inner[3 * done :])
            for box in range(last, columns):
                sum_box(totals, left + box * across, begin, end, wide, boxes, box)
        if first > 0:
            sum_rows(source[at:], 3 * width, 3 * min(wide, end - begin), tall, totals)
            for box in range(first):
                sum_box(totals, left + box * across, begin, end, wide, boxes, box)
        if tall < high:
            complete(boxes, 0, columns, left, width, wide, high, across, tall, filled, fill)
        else:
            complete(boxes, 0, first, left, width, wide, high, across, tall, filled, fill)
            complete(boxes, last, columns, left, width, wide, high, across, tall, filled, fill)


def sum_rows(source: Bytes, stride: int, count: int, tall: int, totals: Sums) -> None:
    """totals[: count] = the sum of `tall` rows; whole numbers below 2^24, so exact in any order."""
    start = source[:count]
    for j in range(count):
        totals[j] = start[j]
    for line in range(1, tall):
        following = source[line * stride : line * stride + count]
        for j in range(count):
            totals[j] += following[j]


def sum_columns(totals: Sums, columns: int, wide: int, across: int, boxes: Sums) -> None:
    """The first `columns` boxes = sums of `wide` RGB pixels of a row, `across` pixels apart."""
    if across == 1:
        for j in range(3 * columns):
            boxes[j] = totals[j]
        for place in range(1, wide):
            beside = totals[3 * place :]
            for j in range(3 * columns):
                boxes[j] += beside[j]
        return
    for box in range(columns):
        first = box * across
        red, green, blue = totals[3 * first], totals[3 * first + 1], totals[3 * first + 2]
        for j in range(first + 1, first + wide):
            red += totals[3 * j]
            green += totals[3 * j + 1]
            blue += totals[3 * j + 2]
        boxes[3 * box], boxes[3 * box + 1], boxes[3 * box + 2] = red, green, blue


def sum_box(totals: Sums, start: int, begin: int, end: int, wide: int, boxes: Sums, box: int) -> None:
    """One box whose first column is `start`; totals has the columns begin .. end, and the others are left out."""
    for channel in range(3):
        total = f32(0.0)
        for j in range(max(start, begin) - begin, min(start + wide, end) - begin):
            total += f32(totals[3 * j + channel])
        boxes[3 * box + channel] = total


def complete(
    boxes: Sums,
    begin: int,
    end: int,
    left: int,
    width: int,
    wide: int,
    high: int,
    across: int,
    tall: int,
    filled: bool,
    fill: Floats,
) -> None:
    """Makes up what boxes begin .. end of a row, `tall` pixels of which are on the picture, lack of wide x high pixels."""
    for box in range(begin, end):
        start = left + box * across
        held = (min(start + wide, width) - max(start, 0)) * tall
        for channel in range(3):
            total = f32(boxes[3 * box + channel])
            if filled:
                total += f32(wide * high - held) * fill[channel]
            else:
                total *= f32(wide * high) / f32(held)
            boxes[3 * box + channel] = rint32(total) if boxes.itemsize == 2 else total
