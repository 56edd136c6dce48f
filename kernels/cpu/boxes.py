"""Boxes: the compiled kernel that sums boxes of a picture's pixels, for chains that shrink. Boxes may overlap."""

from __future__ import annotations

import numpy as np

from kernels.cpu.intrinsics import STRETCH, Bytes, Floats, Levels, Sums, rint32, sum_boxes
from kernels.cpu.places import CONSTANT, REFLECT, WRAP

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
    halved_columns: int,
    halved_rows: int,
    border: int,
    fill: Floats,
    result: Sums,
) -> None:
    """Sums of boxes `wide` x `high` of (height, width) RGB pixels, `across` and `down` apart: (rows, columns, 3), flat.

    The first box begins at (left, top). Beyond the picture is what its border shows, a code of `places`: `fill`, 3 levels
    0..255, where that is CONSTANT, rounded where the result holds whole numbers. Columns or rows that are halved lie one
    pixel apart: their boxes are sums of two beside each other.
    """
    if halved_columns == 0 and halved_rows == 0:
        sum_all(source, width, height, left, top, columns, rows, wide, high, across, down, border, fill, result)
        return
    line = 3 * (columns + halved_columns)
    single = np.empty(line * (rows + halved_rows), result.dtype)
    wide, high = wide - halved_columns, high - halved_rows
    sum_all(source, width, height, left, top, line // 3, rows + halved_rows, wide, high, across, down, border, fill, single)
    for row in range(rows):
        boxes = result[3 * row * columns : 3 * (row + 1) * columns]
        sum_side_by_side(single[line * row :], line, 1 + halved_rows, 1 + halved_columns, 3 * columns, boxes)


def sum_all(
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
    border: int,
    fill: Floats,
    result: Sums,
) -> None:
    """`shrink`, of boxes that count each pixel once."""
    # boxes that hold all of their columns, and the first column that they hold
    first = min(-(left // across) if left < 0 else 0, columns)
    last = max(min((width - wide - left) // across + 1, columns), first)
    begin = left + first * across
    # one pixel apart first, then those that are wanted: a vector holds values side by side
    beside = 3 * ((last - first - 1) * across + 1)
    totals = np.empty(beside + 3 * (wide - 1) if across > 1 and last > first else 0, result.dtype)
    every = np.empty(beside if across > 1 and last > first else 0, result.dtype)
    line = 3 * width
    seen = np.empty(line * high if border != CONSTANT else 0, np.uint8)
    for row in range(rows):
        start = top + row * down
        boxes = result[3 * row * columns : 3 * (row + 1) * columns]
        lines = source[line * max(start, 0) :]
        if start < 0 or start + high > height:
            if border == CONSTANT:
                for box in range(columns):
                    cut_box(source, width, height, left + box * across, start, wide, high, border, fill, boxes, 3 * box)
                continue
            # the lines that the border shows there, one after the other
            for j in range(high):
                shown = line * folded(start + j, height, border)
                seen[line * j : line * (j + 1)] = source[shown : shown + line]
            lines = seen
        if last > first:
            if across == 1:
                sum_side_by_side(lines[3 * begin :], line, high, wide, beside, boxes[3 * first :])
            else:
                sum_side_by_side(lines[3 * begin :], line, high, 1, totals.size, totals)
                sum_side_by_side(totals, 0, 1, wide, beside, every)
                pick(every, 3 * across, last - first, boxes[3 * first :])
        for box in range(first):
            cut_box(source, width, height, left + box * across, start, wide, high, border, fill, boxes, 3 * box)
        for box in range(last, columns):
            cut_box(source, width, height, left + box * across, start, wide, high, border, fill, boxes, 3 * box)


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
    border: int,
    fill: Floats,
    boxes: Sums,
    to: int,
) -> None:
    """A box that reaches beyond the picture."""
    for channel in range(3):
        total, beyond = f32(0.0), 0
        for row in range(top, top + high):
            for column in range(left, left + wide):
                if border == CONSTANT and not (0 <= row < height and 0 <= column < width):
                    beyond += 1
                else:
                    shown = folded(row, height, border) * width + folded(column, width, border)
                    total += f32(source[3 * shown + channel])
        total += f32(beyond) * fill[channel]
        boxes[to + channel] = rint32(total) if boxes.itemsize == 2 else total


def folded(place: int, side: int, border: int) -> int:
    """The pixel that is seen at a place of a side, which goes beyond it by less than its length."""
    if border == WRAP:
        return place % side
    if border == REFLECT:
        place = -1 - place if place < 0 else place
        place = 2 * side - 1 - place if place >= side else place
    return min(max(place, 0), side - 1)
