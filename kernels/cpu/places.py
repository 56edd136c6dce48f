"""Places: the compiled kernels that read a source along a route, tile by tile.

A route is a table, one row a step, its kind in the first column (`kernels.cpu.itinerary` writes it):

    MOVE     1..9 a 3x3 matrix, affine. The first row is one, applied to pixel centres; its 7, 8 (else 0) are how far from
             its centre, along its row and its column, an output pixel is read on either side; 0: in the middle alone
    VIEW     1..9 a 3x3 matrix with perspective
    SHIFT    1 offset in `fields`, 2 height, 3 width of a displacement field, 4 whether it is read at its own pixels
    VEIL     1 width, 2 height of a canvas, 3 4 softness of its edges, 5..7 fill outside it, in the source's units
    FOLD     1 width, 2 height of a canvas, 3 4 margins, 5 how points outside come back
    READ     1 width, 2 height of the source, 3 what is outside, 4..6 fill in its units, 7 scale to 0..1, 8 fills shown

Coordinates are float32; after the last step they count the source's pixels from the centre of the first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.intrinsics import Bytes, Floats, Integers, Levels, floor32, read_pixels, step_along, truncated
from kernels.cpu.number_words import clamp

MOVE, VIEW, SHIFT, VEIL, FOLD, READ = range(6)
COLUMNS = 10
REPLICATE, REFLECT, WRAP, CONSTANT = range(4)
INSIDE = 4
"""In the place of a border: nothing beyond the canvas is seen."""
Table = NDArray[np.float64]
Grid = NDArray[np.float32]
Color = tuple[np.float32, np.float32, np.float32]
f32, i32 = np.float32, np.int32

X, Y, WEIGHT, ACROSS, DOWN, SHOWN, READ_RED, AGAIN = 0, 1, 2, 3, 4, 5, 8, 11
SCRATCH_ROWS = 14
"""Rows of a tile's scratch: coordinates, weight, fractions, shown fills (3), pixels that were read last (3), and a
tile that is read once more (3)."""


def shows_fills(table: Table) -> bool:
    """Whether any fill other than black may be seen."""
    last = table.shape[0] - 1
    is_filled = table[last, 4] > 0.0 or table[last, 5] > 0.0 or table[last, 6] > 0.0
    return bool(table[last, 8] > 0.0 or (table[last, 3] == CONSTANT and is_filled))


def read_again(
    source: Levels,
    table: Table,
    fields: Floats,
    base: int,
    count: int,
    width: int,
    scratch: Grid,
    offsets: Integers,
    red: Floats,
    green: Floats,
    blue: Floats,
) -> None:
    """The mean of all readings of a tile's pixels, which hold the first one: up and left of their middles."""
    aside, off = table[0, 7], table[0, 8]
    r, g, b = scratch[AGAIN, :count], scratch[AGAIN + 1, :count], scratch[AGAIN + 2, :count]
    across, down = 1 if aside == 0.0 else 2, 1 if off == 0.0 else 2
    for reading in range(1, across * down):
        x = aside if reading % across == 1 else -aside
        y = off if reading >= across else -off
        leaves = route_tile(table, fields, x, y, base, count, width, scratch, offsets)
        read_tile(source, table, count, scratch, offsets, leaves, r, g, b)
        for t in range(count):
            red[t] += r[t]
            green[t] += g[t]
            blue[t] += b[t]
    share = f32(1.0 / (across * down))
    for t in range(count):
        red[t] *= share
        green[t] *= share
        blue[t] *= share


def route_tile(
    table: Table,
    fields: Floats,
    aside: float,
    off: float,
    base: int,
    count: int,
    width: int,
    scratch: Grid,
    offsets: Integers,
) -> bool:
    """Where pixels base .. base + count of an output `width` wide are read, and what covers them.

    So far `aside` their centres along a row, and so far `off` along a column. Whether some have no offset.
    """
    start_tile(table, aside, off, base, count, width, scratch)
    last = table.shape[0] - 1
    shows = shows_fills(table)
    if shows:
        for t in range(count):
            scratch[SHOWN, t] = scratch[SHOWN + 1, t] = scratch[SHOWN + 2, t] = f32(0.0)
    scale = f32(table[last, 7])
    for t in range(count):
        scratch[WEIGHT, t] = scale
    for step in range(1, last):
        kind = table[step, 0]
        if kind == MOVE:
            move_tile(table, step, count, scratch)
        elif kind == VIEW:
            view_tile(table, step, count, scratch)
        elif kind == SHIFT:
            shift_tile(table, step, fields, base, count, scratch)
        elif kind == VEIL:
            veil_tile(table, step, count, scratch, shows)
        else:
            fold_tile(table, step, count, scratch)
    if table[last, 3] == WRAP:
        place_wrapped_tile(table, count, scratch, offsets)
        return True
    if table[last, 3] == CONSTANT:
        leave_tile(table, count, scratch, shows)
    return place_tile(table, count, scratch, offsets)


def start_tile(table: Table, aside: float, off: float, base: int, count: int, width: int, scratch: Grid) -> None:
    """Centres of the output's pixels, or places aside them, moved by the first row: row constants in float64."""
    a, d = f32(table[0, 1]), f32(table[0, 4])
    length = scratch.shape[1]
    line = base // width
    column = base - line * width
    begin = 0
    while begin < count:
        c, f = line_start(table, aside, off, line)
        run = min(width - column, count - begin)
        # whole vectors, the last of which goes on into the next line's, or beyond the tile
        for k in range(0, run, 16):
            step_along(scratch, X * length + begin + k, column + k, a, c)
            step_along(scratch, Y * length + begin + k, column + k, d, f)
        begin += run
        column = 0
        line += 1


def line_start(table: Table, aside: float, off: float, line: int) -> tuple[np.float32, np.float32]:
    """Where a line of the output begins by the first row, but for what its columns add."""
    middle = line + 0.5 + off
    x, y = table[0, 1] * aside + table[0, 3], table[0, 4] * aside + table[0, 6]
    return f32(table[0, 2] * middle + x), f32(table[0, 5] * middle + y)


def is_straight(table: Table) -> bool:
    """Whether lines of the output are read along lines of the source, and nothing but a scale and a shift leads there."""
    return bool(table.shape[0] == 2 and table[0, 2] == 0.0 and table[0, 4] == 0.0)


def find_lines(table: Table, height: int, read: Bytes) -> None:
    """Marks with 1 the lines of the source that an output of `height` lines reads along a straight route."""
    last = table.shape[0] - 1
    lines = int(table[last, 2])
    bottom = f32(lines - 1)
    off = table[0, 8]
    for reading in range(1 if off == 0.0 else 2):
        for line in range(height):
            _, v = line_start(table, 0.0, off if reading == 1 else -off, line)
            # as `place_tile`
            v = v if v > f32(0.0) else f32(0.0)
            v = v if v < bottom else bottom
            top = min(int(floor32(v)), max(lines - 2, 0))
            read[top] = read[min(top + 1, lines - 1)] = 1


def move_tile(table: Table, step: int, count: int, scratch: Grid) -> None:
    a, b, c = f32(table[step, 1]), f32(table[step, 2]), f32(table[step, 3])
    d, e, f = f32(table[step, 4]), f32(table[step, 5]), f32(table[step, 6])
    for t in range(count):
        u, v = scratch[X, t], scratch[Y, t]
        scratch[X, t] = a * u + (b * v + c)
        scratch[Y, t] = d * u + (e * v + f)


def view_tile(table: Table, step: int, count: int, scratch: Grid) -> None:
    """By a perspective; what lies behind the horizon is sent out of every canvas."""
    a, b, c = f32(table[step, 1]), f32(table[step, 2]), f32(table[step, 3])
    d, e, f = f32(table[step, 4]), f32(table[step, 5]), f32(table[step, 6])
    g, h, i = f32(table[step, 7]), f32(table[step, 8]), f32(table[step, 9])
    for t in range(count):
        u, v = scratch[X, t], scratch[Y, t]
        w = g * u + (h * v + i)
        seen = w > f32(1e-6)
        part = f32(1.0) / (w if seen else f32(1.0))
        scratch[X, t] = min(max((a * u + (b * v + c)) * part, f32(-1e6)), f32(1e6)) if seen else f32(-1e6)
        scratch[Y, t] = min(max((d * u + (e * v + f)) * part, f32(-1e6)), f32(1e6)) if seen else f32(-1e6)


def shift_tile(table: Table, step: int, fields: Floats, base: int, count: int, scratch: Grid) -> None:
    """By a displacement field, read bilinearly; its edge goes on outside."""
    at, height, width = int(table[step, 1]), int(table[step, 2]), int(table[step, 3])
    down = at + height * width
    if table[step, 4] > 0.0:
        across, along = fields[at + base : at + base + count], fields[down + base : down + base + count]
        for t in range(count):
            scratch[X, t] += across[t]
            scratch[Y, t] += along[t]
        return
    for t in range(count):
        u = min(max(scratch[X, t] - f32(0.5), f32(0.0)), f32(width - 1))
        v = min(max(scratch[Y, t] - f32(0.5), f32(0.0)), f32(height - 1))
        left, top = int(u), int(v)
        au, av = u - f32(i32(left)), v - f32(i32(top))
        right, under = min(left + 1, width - 1), min(top + 1, height - 1)
        p, q = at + top * width, at + under * width
        upper = fields[p + left] + au * (fields[p + right] - fields[p + left])
        lower = fields[q + left] + au * (fields[q + right] - fields[q + left])
        scratch[X, t] += upper + av * (lower - upper)
        p, q = p + height * width, q + height * width
        upper = fields[p + left] + au * (fields[p + right] - fields[p + left])
        lower = fields[q + left] + au * (fields[q + right] - fields[q + left])
        scratch[Y, t] += upper + av * (lower - upper)


def veil_tile(table: Table, step: int, count: int, scratch: Grid, shows: bool) -> None:
    """Where a canvas was left, its fill shows and what lies behind it does not."""
    size = (f32(table[step, 1]), f32(table[step, 2]))
    sharp = (f32(1.0 / table[step, 3]), f32(1.0 / table[step, 4]))
    fill = (f32(table[step, 5]), f32(table[step, 6]), f32(table[step, 7]))
    cover_tile(f32(0.0), size, sharp, fill, count, scratch, shows)


def leave_tile(table: Table, count: int, scratch: Grid, shows: bool) -> None:
    """The same at the edges of the source: its outermost pixels blend into the fill over one pixel."""
    last = table.shape[0] - 1
    size = (f32(table[last, 1]), f32(table[last, 2]))
    fill = (f32(table[last, 4]), f32(table[last, 5]), f32(table[last, 6]))
    cover_tile(f32(0.5), size, (f32(1.0), f32(1.0)), fill, count, scratch, shows)


def cover_tile(
    start: np.float32,
    size: tuple[np.float32, np.float32],
    sharp: tuple[np.float32, np.float32],
    fill: Color,
    count: int,
    scratch: Grid,
    shows: bool,
) -> None:
    """Weights times how much of each pixel is on a canvas that begins at -start; coverage rises by `sharp` a pixel."""
    width, height = size
    for t in range(count):
        u, v = scratch[X, t] + start, scratch[Y, t] + start
        across = clamp(min(u, width - u) * sharp[0] + f32(0.5))
        down = clamp(min(v, height - v) * sharp[1] + f32(0.5))
        covered = scratch[WEIGHT, t] * (across * down)
        if shows:
            hidden = scratch[WEIGHT, t] - covered
            scratch[SHOWN, t] += hidden * fill[0]
            scratch[SHOWN + 1, t] += hidden * fill[1]
            scratch[SHOWN + 2, t] += hidden * fill[2]
        scratch[WEIGHT, t] = covered


def fold_tile(table: Table, step: int, count: int, scratch: Grid) -> None:
    """Points brought back onto a canvas, and away from its edges by the margins."""
    fold_axis(scratch, X, count, f32(table[step, 1]), f32(table[step, 3]), int(table[step, 5]))
    fold_axis(scratch, Y, count, f32(table[step, 2]), f32(table[step, 4]), int(table[step, 5]))


def fold_axis(scratch: Grid, axis: int, count: int, side: np.float32, margin: np.float32, how: int) -> None:
    if how == REFLECT:
        period = f32(2.0) * side
        for t in range(count):
            turned = scratch[axis, t] - period * floor32(scratch[axis, t] / period)
            scratch[axis, t] = side - abs(side - turned)
    elif how == WRAP:
        for t in range(count):
            scratch[axis, t] = scratch[axis, t] - side * floor32(scratch[axis, t] / side)
    for t in range(count):
        scratch[axis, t] = min(max(scratch[axis, t], margin), side - margin)


def place_tile(table: Table, count: int, scratch: Grid, offsets: Integers) -> bool:
    """Coordinates as pixels and fractions, at the nearest place of the source; offsets in it, or -1 (see `last_offset`).

    Whether some are -1.
    """
    last = table.shape[0] - 1
    width, height = int(table[last, 1]), int(table[last, 2])
    right, bottom = f32(width - 1), f32(height - 1)
    # pixels whose right and lower neighbours are there; no float is too large for whole numbers
    inner, upper = f32(max(width - 2, 0)), f32(max(height - 2, 0))
    stride, end = i32(3 * width), last_offset(width, height)
    furthest = i32(0)
    for t in range((count + 15) // 16 * 16):
        u = scratch[X, t] if scratch[X, t] > f32(0.0) else f32(0.0)
        v = scratch[Y, t] if scratch[Y, t] > f32(0.0) else f32(0.0)
        u, v = u if u < right else right, v if v < bottom else bottom
        left, top = floor32(u), floor32(v)
        left, top = left if left < inner else inner, top if top < upper else upper
        scratch[ACROSS, t], scratch[DOWN, t] = u - left, v - top
        scratch[X, t], scratch[Y, t] = left, top
        offset = i32(i32(truncated(top) * stride) + i32(truncated(left) * i32(3)))
        offsets[t] = offset if offset <= end else i32(-1)
        furthest = max(furthest, offset)
    return bool(furthest > end)


def place_wrapped_tile(table: Table, count: int, scratch: Grid, offsets: Integers) -> None:
    """The same where the source goes on with its other side: offset -1 where a neighbour is there."""
    last = table.shape[0] - 1
    width, height = int(table[last, 1]), int(table[last, 2])
    right, bottom = f32(width), f32(height)
    stride, end = i32(3 * width), last_offset(width, height)
    for t in range((count + 15) // 16 * 16):
        # the middle of a box may lie two boxes from the edge
        u = scratch[X, t] if scratch[X, t] > f32(-2.0) else f32(-2.0)
        v = scratch[Y, t] if scratch[Y, t] > f32(-2.0) else f32(-2.0)
        u, v = u if u < right else right, v if v < bottom else bottom
        left, top = floor32(u), floor32(v)
        scratch[ACROSS, t], scratch[DOWN, t] = u - left, v - top
        scratch[X, t], scratch[Y, t] = left, top
        column, row = truncated(left), truncated(top)
        offset = i32(i32(row * stride) + i32(column * i32(3)))
        inside = (column >= i32(0)) & (column < i32(width - 1)) & (row >= i32(0)) & (offset <= end)
        offsets[t] = offset if inside else i32(-1)


def last_offset(width: int, height: int) -> np.int32:
    """The last offset from which eight levels can be read one row further down without leaving the source."""
    return i32(3 * width * (height - 1) - 8)


def read_tile(
    source: Levels,
    table: Table,
    count: int,
    scratch: Grid,
    offsets: Integers,
    leaves: bool,
    red: Floats,
    green: Floats,
    blue: Floats,
) -> None:
    """The source between its pixels at the tile's places, as planes 0..1, under the fills that cover it."""
    last = table.shape[0] - 1
    width, height = int(table[last, 1]), int(table[last, 2])
    whole = count // 16 * 16
    if last_offset(width, height) >= 0:
        across, down, weight = ACROSS * scratch.shape[1], DOWN * scratch.shape[1], WEIGHT * scratch.shape[1]
        for t in range(0, whole, 16):
            read_pixels(source, 3 * width, offsets, t, scratch, across + t, down + t, weight + t, red, green, blue, t)
        if whole < count:
            # fewer than sixteen go by way of the scratch
            r, g, b = scratch[READ_RED], scratch[READ_RED + 1], scratch[READ_RED + 2]
            t = whole
            read_pixels(source, 3 * width, offsets, t, scratch, across + t, down + t, weight + t, r, g, b, 0)
            for t in range(whole, count):
                red[t], green[t], blue[t] = r[t - whole], g[t - whole], b[t - whole]
    if leaves:
        read_edges(source, table, count, scratch, offsets, red, green, blue)
    if shows_fills(table):
        for t in range(count):
            red[t] = min(red[t] + scratch[SHOWN, t], f32(1.0))
            green[t] = min(green[t] + scratch[SHOWN + 1, t], f32(1.0))
            blue[t] = min(blue[t] + scratch[SHOWN + 2, t], f32(1.0))


def read_edges(
    source: Levels,
    table: Table,
    count: int,
    scratch: Grid,
    offsets: Integers,
    red: Floats,
    green: Floats,
    blue: Floats,
) -> None:
    """The same for those of a tile's pixels that have no offset."""
    last = table.shape[0] - 1
    width, height, wraps = int(table[last, 1]), int(table[last, 2]), table[last, 3] == WRAP
    for t in range(count):
        if offsets[t] < 0:
            left, right = neighbours(int(scratch[X, t]), width, wraps)
            top, bottom = neighbours(int(scratch[Y, t]), height, wraps)
            corners = (
                3 * (top * width + left),
                3 * (top * width + right),
                3 * (bottom * width + left),
                3 * (bottom * width + right),
            )
            across, down, weight = scratch[ACROSS, t], scratch[DOWN, t], scratch[WEIGHT, t]
            red[t] = min(between(source, corners, 0, across, down) * weight, f32(1.0))
            green[t] = min(between(source, corners, 1, across, down) * weight, f32(1.0))
            blue[t] = min(between(source, corners, 2, across, down) * weight, f32(1.0))


def neighbours(place: int, side: int, wraps: bool) -> tuple[int, int]:
    """A column or row as one that is there, and the next."""
    if wraps:
        return place % side, (place + 1) % side
    return place, min(place + 1, side - 1)


def between(
    source: Levels, corners: tuple[int, int, int, int], channel: int, across: np.float32, down: np.float32
) -> np.float32:
    """A channel between the four pixels that begin at `corners`: down first, as `read_pixels`."""
    left, right = f32(source[corners[0] + channel]), f32(source[corners[1] + channel])
    left += down * (f32(source[corners[2] + channel]) - left)
    right += down * (f32(source[corners[3] + channel]) - right)
    return left + across * (right - left)
