"""Places: where a tile's pixels are read along a route, and what is read there.

A route is the table of `kernels.cpu.places`, its coordinates float32; rows of the first matrix are added in float64, so
that places are exact in pictures of any size. A source is any memory of channel values: `stride` values from pixel to
pixel, `apart` from channel to channel.
"""

from __future__ import annotations

from typing import Any

import triton.language as tl

from kernels.cpu.places import COLUMNS, CONSTANT, MOVE, REFLECT, SHIFT, VEIL, VIEW, WRAP

Block = Any
"""A block of numbers, or one number."""
Address = Any


def cell(table: Address, step: Block, column: Block) -> Block:
    """One number of the route as float32."""
    return tl.load(table + step * COLUMNS + column).to(tl.float32)


def follow(
    table: Address,
    last: Block,
    fields: Address,
    aside: Block,
    off: Block,
    i: Block,
    width: Block,
    lanes: tl.constexpr,
) -> Block:
    """Places in the source of output pixels i, their weight, and the fills that cover them: x, y, weight, r, g, b.

    So far `aside` their centres along a row, and so far `off` along a column.
    """
    line = i // width
    middle = line.to(tl.float64) + 0.5 + off
    centre = (i - line * width).to(tl.float32) + 0.5
    c = (tl.load(table + 2) * middle + (tl.load(table + 1) * aside + tl.load(table + 3))).to(tl.float32)
    f = (tl.load(table + 5) * middle + (tl.load(table + 4) * aside + tl.load(table + 6))).to(tl.float32)
    x = cell(table, 0, 1) * centre + c
    y = cell(table, 0, 4) * centre + f
    weight = tl.full([lanes], 1.0, tl.float32) * cell(table, last, 7)
    r = tl.full([lanes], 0.0, tl.float32)
    g = tl.full([lanes], 0.0, tl.float32)
    b = tl.full([lanes], 0.0, tl.float32)
    for step in range(1, last):
        kind = tl.load(table + step * COLUMNS).to(tl.int32)
        if kind == MOVE:
            x, y = move(table, step, x, y)
        elif kind == VIEW:
            x, y = view(table, step, x, y)
        elif kind == SHIFT:
            x, y = shift(table, step, fields, i, x, y)
        elif kind == VEIL:
            covered = veiled(table, step, x, y, weight)
            hidden = weight - covered
            r += hidden * cell(table, step, 5)
            g += hidden * cell(table, step, 6)
            b += hidden * cell(table, step, 7)
            weight = covered
        else:
            how = cell(table, step, 5).to(tl.int32)
            x = fold(x, cell(table, step, 1), cell(table, step, 3), how)
            y = fold(y, cell(table, step, 2), cell(table, step, 4), how)
    return x, y, weight, r, g, b


def move(table: Address, step: Block, x: Block, y: Block) -> Block:
    return line_of(table, step, 1, x, y), line_of(table, step, 4, x, y)


def line_of(table: Address, step: Block, column: Block, x: Block, y: Block) -> Block:
    """A row of the step's matrix applied to (x, y, 1)."""
    a, b, c = cell(table, step, column), cell(table, step, column + 1), cell(table, step, column + 2)
    return a * x + (b * y + c)


def view(table: Address, step: Block, x: Block, y: Block) -> Block:
    """By a perspective; what lies behind the horizon is sent out of every canvas."""
    depth = line_of(table, step, 7, x, y)
    seen = depth > 1e-6
    part = 1.0 / tl.where(seen, depth, 1.0)
    across, down = line_of(table, step, 1, x, y) * part, line_of(table, step, 4, x, y) * part
    across, down = tl.minimum(tl.maximum(across, -1e6), 1e6), tl.minimum(tl.maximum(down, -1e6), 1e6)
    return tl.where(seen, across, -1e6), tl.where(seen, down, -1e6)


def shift(table: Address, step: Block, fields: Address, i: Block, x: Block, y: Block) -> Block:
    """By a displacement field, read bilinearly; its edge goes on outside."""
    # offsets are whole numbers beyond what float32 holds
    at = tl.load(table + step * COLUMNS + 1).to(tl.int32)
    height, width = cell(table, step, 2).to(tl.int32), cell(table, step, 3).to(tl.int32)
    across = fields + at
    down = across + height * width
    if cell(table, step, 4) > 0.0:
        here = i < height * width
        x += tl.load(across + i, mask=here, other=0.0)
        y += tl.load(down + i, mask=here, other=0.0)
    else:
        u = tl.minimum(tl.maximum(x - 0.5, 0.0), (width - 1).to(tl.float32))
        v = tl.minimum(tl.maximum(y - 0.5, 0.0), (height - 1).to(tl.float32))
        left, top = u.to(tl.int32), v.to(tl.int32)
        au, av = u - left.to(tl.float32), v - top.to(tl.float32)
        right, under = tl.minimum(left + 1, width - 1), tl.minimum(top + 1, height - 1)
        p, q = top * width, under * width
        x += blended(across, p + left, p + right, q + left, q + right, au, av)
        y += blended(down, p + left, p + right, q + left, q + right, au, av)
    return x, y


def blended(plane: Address, a: Block, b: Block, c: Block, d: Block, across: Block, down: Block) -> Block:
    """Between the values at four places of a plane: a and b above, c and d below."""
    left, right = tl.load(plane + a), tl.load(plane + b)
    upper = left + across * (right - left)
    left, right = tl.load(plane + c), tl.load(plane + d)
    lower = left + across * (right - left)
    return upper + down * (lower - upper)


def veiled(table: Address, step: Block, x: Block, y: Block, weight: Block) -> Block:
    """What is left of the weights where a canvas was left."""
    sharp_x, sharp_y = 1.0 / cell(table, step, 3), 1.0 / cell(table, step, 4)
    across = tl.minimum(x, cell(table, step, 1) - x) * sharp_x + 0.5
    down = tl.minimum(y, cell(table, step, 2) - y) * sharp_y + 0.5
    across, down = tl.minimum(tl.maximum(across, 0.0), 1.0), tl.minimum(tl.maximum(down, 0.0), 1.0)
    return weight * (across * down)


def fold(x: Block, side: Block, margin: Block, how: Block) -> Block:
    """Coordinates brought back onto a canvas, and away from its edges by the margin."""
    if how == REFLECT:
        period = 2.0 * side
        turned = x - period * tl.floor(x / period)
        x = side - tl.abs(side - turned)
    elif how == WRAP:
        x = x - side * tl.floor(x / side)
    return tl.minimum(tl.maximum(x, margin), side - margin)


def neighbour(place: Block, side: Block, outside: Block) -> Block:
    """The pixel that is seen at a place at most two pixels outside of a side."""
    wrapped = (place + 2 * side) % side
    held = tl.minimum(tl.maximum(place, 0), side - 1)
    return tl.where(outside == WRAP, wrapped, held)


def near(place: Block, side: Block) -> Block:
    """Places as they are, or two pixels outside, where all is the same; no float is too large for a whole number."""
    return tl.minimum(tl.maximum(place, -2.0), (side + 1).to(tl.float32))


def between(
    source: Address, stride: Block, apart: Block, table: Address, last: Block, x: Block, y: Block, here: Block
) -> Block:
    """The source between its pixels at (x, y), in its own units: r, g, b."""
    width, height = cell(table, last, 1).to(tl.int32), cell(table, last, 2).to(tl.int32)
    outside = cell(table, last, 3).to(tl.int32)
    u, v = near(x, width), near(y, height)
    left, top = tl.floor(u), tl.floor(v)
    across, down = u - left, v - top
    column, row = left.to(tl.int32), top.to(tl.int32)
    # a fill is seen only where the outside is constant; elsewhere every neighbour is a pixel of the source
    always = outside != CONSTANT
    in_left, in_right = (column >= 0) & (column < width), (column >= -1) & (column < width - 1)
    in_top, in_bottom = (row >= 0) & (row < height), (row >= -1) & (row < height - 1)
    first, second = neighbour(column, width, outside), neighbour(column + 1, width, outside)
    upper, lower = neighbour(row, height, outside) * width, neighbour(row + 1, height, outside) * width
    at = ((upper + first) * stride, (upper + second) * stride, (lower + first) * stride, (lower + second) * stride)
    seen = (
        here & (always | (in_left & in_top)),
        here & (always | (in_right & in_top)),
        here & (always | (in_left & in_bottom)),
        here & (always | (in_right & in_bottom)),
    )
    return (
        mixed(source, at, seen, across, down, cell(table, last, 4)),
        mixed(source + apart, at, seen, across, down, cell(table, last, 5)),
        mixed(source + 2 * apart, at, seen, across, down, cell(table, last, 6)),
    )


def mixed(source: Address, at: Block, seen: Block, across: Block, down: Block, fill: Block) -> Block:
    """A channel between four of its values, or the fill where one is not seen."""
    upper, lower = level(source, at[0], seen[0], fill), level(source, at[2], seen[2], fill)
    left = upper + down * (lower - upper)
    upper, lower = level(source, at[1], seen[1], fill), level(source, at[3], seen[3], fill)
    right = upper + down * (lower - upper)
    return left + across * (right - left)


def level(source: Address, at: Block, seen: Block, fill: Block) -> Block:
    return tl.where(seen, tl.load(source + at, mask=seen, other=0).to(tl.float32), fill)


def picked(
    source: Address,
    stride: Block,
    apart: Block,
    table: Address,
    last: Block,
    x: Block,
    y: Block,
    here: Block,
    unit: float,
) -> Block:
    """The pixels of the source at (x, y), which are whole numbers, its values divided by `unit`: r, g, b."""
    width, height = cell(table, last, 1).to(tl.int32), cell(table, last, 2).to(tl.int32)
    outside = cell(table, last, 3).to(tl.int32)
    column, row = tl.floor(near(x, width) + 0.5).to(tl.int32), tl.floor(near(y, height) + 0.5).to(tl.int32)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    seen = here & ((outside != CONSTANT) | inside)
    at = (neighbour(row, height, outside) * width + neighbour(column, width, outside)) * stride
    return (
        part_of(source, at, seen, unit, cell(table, last, 4)),
        part_of(source + apart, at, seen, unit, cell(table, last, 5)),
        part_of(source + 2 * apart, at, seen, unit, cell(table, last, 6)),
    )


def part_of(source: Address, at: Block, seen: Block, unit: float, fill: Block) -> Block:
    return tl.where(seen, tl.load(source + at, mask=seen, other=0).to(tl.float32) / unit, fill)
