"""Boxes: the compiled kernel that sums boxes of a picture's pixels, for chains that shrink. Boxes may overlap."""

from __future__ import annotations

import numpy as np

from kernels.cpu.intrinsics import STRETCH, Bytes, Floats, Levels, Sums, pick_pixels, rint32, sum_fours, sum_places
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
    column_weight: int,
    row_weight: int,
    border: int,
    fill: Floats,
    wanted: Bytes,
    result: Sums,
) -> None:
    """Sums of boxes `wide` x `high` of (height, width) RGB pixels, `across` and `down` apart: (rows, columns, 3), flat.

    The first box begins at (left, top). Beyond the picture is what its border shows, a code of `places`: `fill`, 3 levels
    0..255, where that is CONSTANT, rounded where the result holds whole numbers. Weights are those of `route.Boxes`.
    wanted: which rows of boxes are summed, by a number for each that is not 0; all if it is empty.
    """
    cuts = border == CONSTANT and (fill[0] > f32(0.0) or fill[1] > f32(0.0) or fill[2] > f32(0.0))
    # boxes that are cut one by one lie before the first of the others, or from the last one on
    first = min(-(left // across) if left < 0 and cuts else 0, columns)
    last = max(min((width - wide - left) // across + 1, columns), first) if cuts else columns
    # columns that are summed: those of the boxes, and all of the picture's where others show them
    begin, end = left + first * across, left + max((last - 1) * across + wide, first * across)
    low, high_end = (min(begin, 0), max(end, width)) if begin < 0 or end > width else (begin, end)
    inner, outer = max(low, 0), min(high_end, width)
    line = 3 * width
    totals = np.empty(3 * (high_end - low), result.dtype)
    beside = 3 * ((last - first - 1) * across + 1)
    every = np.empty(beside if across > 1 and last > first else 0, result.dtype)
    is_inside = across == 1 and last > first and inner == begin and outer == end
    is_four = is_inside and wide == 2 and high == 2 and beside >= STRETCH
    lines_seen = np.empty(line * high if not cuts else 0, np.uint8)
    for row in range(rows):
        if wanted.size > 0 and wanted[row] == 0:
            continue
        start = top + row * down
        boxes = result[3 * row * columns : 3 * (row + 1) * columns]
        lines = source[line * max(start, 0) :]
        if start < 0 or start + high > height:
            if cuts:
                cut_boxes(
                    source,
                    width,
                    height,
                    left,
                    start,
                    across,
                    0,
                    columns,
                    wide,
                    high,
                    column_weight,
                    row_weight,
                    fill,
                    boxes,
                )
                continue
            see_lines(source, width, height, start, high, border, lines_seen)
            lines = lines_seen
        if is_four:
            sum_fours(lines[3 * inner :], line, column_weight, row_weight, beside, boxes[3 * first :])
        elif is_inside and high == 1:
            sum_apart(lines[3 * inner :], 3, wide, column_weight, beside, boxes[3 * first :])
        elif is_inside and wide == 1:
            sum_apart(lines[3 * inner :], line, high, row_weight, beside, boxes[3 * first :])
        elif last > first:
            sum_apart(lines[3 * inner :], line, high, row_weight, 3 * (outer - inner), totals[3 * (inner - low) :])
            for column in range(low, inner):
                see_column(totals, column, low, width, border)
            for column in range(outer, high_end):
                see_column(totals, column, low, width, border)
            boxed = totals[3 * (begin - low) :]
            if across == 1:
                sum_apart(boxed, 3, wide, column_weight, beside, boxes[3 * first :])
            else:
                sum_apart(boxed, 3, wide, column_weight, beside, every)
                pick(every, 3 * across, last - first, boxes[3 * first :])
        cut_boxes(source, width, height, left, start, across, 0, first, wide, high, column_weight, row_weight, fill, boxes)
        cut_boxes(
            source, width, height, left, start, across, last, columns, wide, high, column_weight, row_weight, fill, boxes
        )


def see_lines(source: Bytes, width: int, height: int, start: int, high: int, border: int, lines: Bytes) -> None:
    """The lines that the border shows from row `start` on, one after the other."""
    line = 3 * width
    for j in range(high):
        into = lines[line * j : line * (j + 1)]
        if border == CONSTANT and not 0 <= start + j < height:
            into[:] = 0
        else:
            shown = line * folded(start + j, height, border)
            into[:] = source[shown : shown + line]


def see_column(totals: Sums, column: int, low: int, width: int, border: int) -> None:
    """What the border shows of sums of columns, the first of which is column `low`, in a column beyond the picture."""
    to, shown = 3 * (column - low), 3 * (folded(column, width, border) - low)
    for channel in range(3):
        totals[to + channel] = 0 if border == CONSTANT else totals[shown + channel]


def sum_apart(source: Levels, apart: int, places: int, weight: int, count: int, sums: Sums) -> None:
    """sums[: count], each of so many places, weighed as `times` says: whole numbers, exact in any order."""
    if count < STRETCH:
        for j in range(count):
            total = f32(0.0)
            for place in range(places):
                total += f32(source[place * apart + j]) * f32(times(place, places, weight))
            sums[j] = total
        return
    sum_places(source, apart, places, weight, count, sums)


def pick(every: Sums, apart: int, columns: int, boxes: Sums) -> None:
    """Every so many'th of a row's boxes."""
    last = columns - 1
    pick_pixels(every, apart, last, boxes)
    for channel in range(3):
        boxes[3 * last + channel] = every[apart * last + channel]


def cut_boxes(
    source: Bytes,
    width: int,
    height: int,
    left: int,
    top: int,
    across: int,
    first: int,
    end: int,
    wide: int,
    high: int,
    column_weight: int,
    row_weight: int,
    fill: Floats,
    boxes: Sums,
) -> None:
    """Boxes first .. end of a row, which reach beyond the picture: of its pixels, and of the fill beyond it."""
    for box in range(first, end):
        begin = left + box * across
        for channel in range(3):
            total, beyond = f32(0.0), 0
            for j in range(high):
                row, row_times = top + j, times(j, high, row_weight)
                for k in range(wide):
                    column, counts = begin + k, row_times * times(k, wide, column_weight)
                    if 0 <= row < height and 0 <= column < width:
                        total += f32(source[3 * (row * width + column) + channel]) * f32(counts)
                    else:
                        beyond += counts
            total += f32(beyond) * fill[channel]
            boxes[3 * box + channel] = rint32(total) if boxes.itemsize == 2 else total


def times(place: int, places: int, weight: int) -> int:
    """How often a pixel along a side of a box counts: the outermost once, the others `weight` times; of two, the first."""
    is_heavy = place == 0 if places == 2 else 0 < place < places - 1
    return weight if is_heavy else 1


def folded(place: int, side: int, border: int) -> int:
    """The pixel that is seen at a place of a side, which goes beyond it by less than its length."""
    if border == WRAP:
        return place % side
    if border == REFLECT:
        place = -1 - place if place < 0 else place
        place = 2 * side - 1 - place if place >= side else place
    return min(max(place, 0), side - 1)
