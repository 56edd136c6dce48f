"""Places: the compiled kernels that read a source along a route, tile by tile.

A route is a table, one row a step, its kind in the first column (`kernels.cpu.itinerary` writes it):

    MOVE     1..9 a 3x3 matrix, affine; the first row is one, applied to pixel centres
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

from kernels.cpu.intrinsics import Floats, Integers, Levels, fetch, floor32, read_between, spread_pixels, truncated

MOVE, VIEW, SHIFT, VEIL, FOLD, READ = range(6)
COLUMNS = 10
REPLICATE, REFLECT, WRAP, CONSTANT = range(4)
Table = NDArray[np.float64]
Grid = NDArray[np.float32]
f32, i32 = np.float32, np.int32

X, Y, WEIGHT, ACROSS, DOWN, SHOWN, MIXED = 0, 1, 2, 3, 4, 5, 8
SCRATCH_ROWS = 12
"""Rows of a tile's scratch: coordinates, weight, fractions, shown fills (3), interleaved pixels (4)."""


def route_tile(table: Table, fields: Floats, base: int, count: int, width: int, scratch: Grid, offsets: Integers) -> None:
    """Where pixels base .. base + count of an output `width` wide are read, and what covers them."""
    x, y, weight = scratch[X, :count], scratch[Y, :count], scratch[WEIGHT, :count]
    start_tile(table, base, count, width, x, y)
    last = table.shape[0] - 1
    shows = table[last, 8] > 0.0
    if shows:
        scratch[SHOWN : SHOWN + 3, :count] = f32(0.0)
    weight[:] = f32(table[last, 7])
    for step in range(1, last):
        kind = table[step, 0]
        if kind == MOVE:
            move_tile(table, step, x, y)
        elif kind == VIEW:
            view_tile(table, step, x, y)
        elif kind == SHIFT:
            shift_tile(table, step, fields, base, x, y)
        elif kind == VEIL:
            veil_tile(table, step, x, y, weight, scratch, shows)
        else:
            fold_tile(table, step, x, y)
    place_tile(table, count, scratch, offsets)


def show_tile(table: Table, count: int, scratch: Grid, red: Floats, green: Floats, blue: Floats) -> None:
    """What was read, as planes 0..1, under the fills that cover it."""
    weight, mixed = scratch[WEIGHT], scratch[MIXED : MIXED + 4].reshape(-1)
    whole = count // 16 * 16
    for t in range(0, whole, 16):
        spread_pixels(mixed, t, weight, red, green, blue)
    for t in range(whole, count):
        red[t] = min(mixed[4 * t] * weight[t], f32(1.0))
        green[t] = min(mixed[4 * t + 1] * weight[t], f32(1.0))
        blue[t] = min(mixed[4 * t + 2] * weight[t], f32(1.0))
    if table[table.shape[0] - 1, 8] > 0.0:
        for t in range(count):
            red[t] = min(red[t] + scratch[SHOWN, t], f32(1.0))
            green[t] = min(green[t] + scratch[SHOWN + 1, t], f32(1.0))
            blue[t] = min(blue[t] + scratch[SHOWN + 2, t], f32(1.0))


def start_tile(table: Table, base: int, count: int, width: int, x: Floats, y: Floats) -> None:
    """Centres of the output's pixels, moved by the first row: row constants in float64."""
    a, d = f32(table[0, 1]), f32(table[0, 4])
    line = base // width
    column = base - line * width
    begin = 0
    while begin < count:
        middle = line + 0.5
        c = f32(table[0, 2] * middle + table[0, 3])
        f = f32(table[0, 5] * middle + table[0, 6])
        for k in range(min(width - column, count - begin)):
            # unsigned: an index that might be below 0 would be looked at, and the loop not become vector instructions
            t = np.uint64(begin + k)
            centre = f32(i32(column + k)) + f32(0.5)
            x[t] = a * centre + c
            y[t] = d * centre + f
        begin += width - column
        column = 0
        line += 1


def move_tile(table: Table, step: int, x: Floats, y: Floats) -> None:
    a, b, c = f32(table[step, 1]), f32(table[step, 2]), f32(table[step, 3])
    d, e, f = f32(table[step, 4]), f32(table[step, 5]), f32(table[step, 6])
    for t in range(x.size):
        u, v = x[t], y[t]
        x[t] = a * u + (b * v + c)
        y[t] = d * u + (e * v + f)


def view_tile(table: Table, step: int, x: Floats, y: Floats) -> None:
    """By a perspective; what lies behind the horizon is sent out of every canvas."""
    a, b, c = f32(table[step, 1]), f32(table[step, 2]), f32(table[step, 3])
    d, e, f = f32(table[step, 4]), f32(table[step, 5]), f32(table[step, 6])
    g, h, i = f32(table[step, 7]), f32(table[step, 8]), f32(table[step, 9])
    for t in range(x.size):
        u, v = x[t], y[t]
        w = g * u + (h * v + i)
        seen = w > f32(1e-6)
        part = f32(1.0) / (w if seen else f32(1.0))
        x[t] = min(max((a * u + (b * v + c)) * part, f32(-1e6)), f32(1e6)) if seen else f32(-1e6)
        y[t] = min(max((d * u + (e * v + f)) * part, f32(-1e6)), f32(1e6)) if seen else f32(-1e6)


def shift_tile(table: Table, step: int, fields: Floats, base: int, x: Floats, y: Floats) -> None:
    """By a displacement field, read bilinearly; its edge goes on outside."""
    at, height, width = int(table[step, 1]), int(table[step, 2]), int(table[step, 3])
    down = at + height * width
    if table[step, 4] > 0.0:
        across, along = fields[at + base : at + base + x.size], fields[down + base : down + base + x.size]
        for t in range(x.size):
            x[t] += across[t]
            y[t] += along[t]
        return
    for t in range(x.size):
        u = min(max(x[t] - f32(0.5), f32(0.0)), f32(width - 1))
        v = min(max(y[t] - f32(0.5), f32(0.0)), f32(height - 1))
        left, top = int(u), int(v)
        au, av = u - f32(i32(left)), v - f32(i32(top))
        right, under = min(left + 1, width - 1), min(top + 1, height - 1)
        p, q = at + top * width, at + under * width
        upper = fields[p + left] + au * (fields[p + right] - fields[p + left])
        lower = fields[q + left] + au * (fields[q + right] - fields[q + left])
        x[t] += upper + av * (lower - upper)
        p, q = p + height * width, q + height * width
        upper = fields[p + left] + au * (fields[p + right] - fields[p + left])
        lower = fields[q + left] + au * (fields[q + right] - fields[q + left])
        y[t] += upper + av * (lower - upper)


def veil_tile(table: Table, step: int, x: Floats, y: Floats, weight: Floats, scratch: Grid, shows: bool) -> None:
    """Where a canvas was left, its fill shows and what lies behind it does not."""
    width, height = f32(table[step, 1]), f32(table[step, 2])
    sharp_x, sharp_y = f32(1.0 / table[step, 3]), f32(1.0 / table[step, 4])
    red, green, blue = f32(table[step, 5]), f32(table[step, 6]), f32(table[step, 7])
    for t in range(x.size):
        across = min(max(min(x[t], width - x[t]) * sharp_x + f32(0.5), f32(0.0)), f32(1.0))
        down = min(max(min(y[t], height - y[t]) * sharp_y + f32(0.5), f32(0.0)), f32(1.0))
        covered = weight[t] * (across * down)
        if shows:
            hidden = weight[t] - covered
            scratch[SHOWN, t] += hidden * red
            scratch[SHOWN + 1, t] += hidden * green
            scratch[SHOWN + 2, t] += hidden * blue
        weight[t] = covered


def fold_tile(table: Table, step: int, x: Floats, y: Floats) -> None:
    """Points brought back onto a canvas, and away from its edges by the margins."""
    fold_axis(x, f32(table[step, 1]), f32(table[step, 3]), int(table[step, 5]))
    fold_axis(y, f32(table[step, 2]), f32(table[step, 4]), int(table[step, 5]))


def fold_axis(x: Floats, side: np.float32, margin: np.float32, how: int) -> None:
    if how == REFLECT:
        period = f32(2.0) * side
        for t in range(x.size):
            turned = x[t] - period * floor32(x[t] / period)
            x[t] = side - abs(side - turned)
    elif how == WRAP:
        for t in range(x.size):
            x[t] = x[t] - side * floor32(x[t] / side)
    for t in range(x.size):
        x[t] = min(max(x[t], margin), side - margin)


def place_tile(table: Table, count: int, scratch: Grid, offsets: Integers) -> None:
    """Coordinates as pixels and fractions; offsets in the source of pixels whose neighbours are all there, else -1."""
    last = table.shape[0] - 1
    width, height = int(table[last, 1]), int(table[last, 2])
    x, y, across, down = scratch[X], scratch[Y], scratch[ACROSS], scratch[DOWN]
    # two pixels beyond the edge all is the same; and no float is too large for the whole numbers below
    right, bottom = f32(width + 1), f32(height + 1)
    last_column, last_row = i32(width - 3), i32(height - 2)
    for t in range(count):
        u = min(max(x[t], f32(-2.0)), right)
        v = min(max(y[t], f32(-2.0)), bottom)
        left, top = floor32(u), floor32(v)
        across[t], down[t] = u - left, v - top
        x[t], y[t] = left, top
        column, row = truncated(left), truncated(top)
        # eight levels are read at once: three columns from the right edge they would end beyond the last row
        inside = (column >= i32(0)) & (column <= last_column) & (row >= i32(0)) & (row <= last_row)
        offsets[t] = i32(row * i32(width) + column) * i32(3) if inside else i32(-1)


def read_tile(source: Levels, table: Table, count: int, scratch: Grid, offsets: Integers) -> None:
    """The source between its pixels at the tile's places, interleaved, in its own units."""
    last = table.shape[0] - 1
    width, height = int(table[last, 1]), int(table[last, 2])
    outside = int(table[last, 3])
    fill = (f32(table[last, 4]), f32(table[last, 5]), f32(table[last, 6]))
    x, y, across, down = scratch[X], scratch[Y], scratch[ACROSS], scratch[DOWN]
    mixed = scratch[MIXED : MIXED + 4].reshape(-1)
    # rows lie far apart: asked for one by one they would each be waited for
    for t in range(0, count, 8):
        if offsets[t] >= 0:
            fetch(source, int(offsets[t]))
            fetch(source, int(offsets[t]) + 3 * width)
    for t in range(count):
        if offsets[t] >= 0:
            read_between(source, int(offsets[t]), 3 * width, across[t], down[t], mixed, 4 * t)
        else:
            read_edge(source, width, height, int(x[t]), int(y[t]), across[t], down[t], outside, fill, mixed, 4 * t)


def read_edge(
    source: Levels,
    width: int,
    height: int,
    left: int,
    top: int,
    across: np.float32,
    down: np.float32,
    outside: int,
    fill: tuple[np.float32, np.float32, np.float32],
    mixed: Floats,
    to: int,
) -> None:
    """The same between pixels of which some may be outside."""
    red, green, blue = f32(0.0), f32(0.0), f32(0.0)
    for j in range(2):
        row = top + j
        part = down if j == 1 else f32(1.0) - down
        for i in range(2):
            column = left + i
            share = part * (across if i == 1 else f32(1.0) - across)
            if outside == CONSTANT and (column < 0 or column >= width or row < 0 or row >= height):
                red += share * fill[0]
                green += share * fill[1]
                blue += share * fill[2]
                continue
            if outside == WRAP:
                at = 3 * (row % height * width + column % width)
            else:
                at = 3 * (min(max(row, 0), height - 1) * width + min(max(column, 0), width - 1))
            red += share * f32(source[at])
            green += share * f32(source[at + 1])
            blue += share * f32(source[at + 2])
    mixed[to], mixed[to + 1], mixed[to + 2] = red, green, blue
