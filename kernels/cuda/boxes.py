"""Boxes: the kernel that sums boxes of a picture's pixels, for chains that shrink; they may overlap. One box of all three
channels for each number of a tile."""

from __future__ import annotations

from typing import Any

import triton.language as tl

from kernels.cuda.records import (
    BOX_ACROSS,
    BOX_APART,
    BOX_COLUMNS,
    BOX_DOWN,
    BOX_FILL,
    BOX_HEIGHT,
    BOX_HIGH,
    BOX_LEFT,
    BOX_OF_BYTES,
    BOX_RESULT,
    BOX_ROWS,
    BOX_SOURCE,
    BOX_STRIDE,
    BOX_TOP,
    BOX_WIDE,
    BOX_WIDTH,
    BOX_WRAPS,
    BOXES,
)

Block = Any
Address = Any


def shrink(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    """One tile of the boxes of a picture, see `records.BOXES`."""
    shrink_tile(tiles, records, lanes)


def shrink_tile(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    tile = tiles + 2 * tl.program_id(0)
    record = records + BOXES * tl.load(tile)
    columns, rows = tl.load(record + BOX_COLUMNS).to(tl.int32), tl.load(record + BOX_ROWS).to(tl.int32)
    width, height = tl.load(record + BOX_WIDTH).to(tl.int32), tl.load(record + BOX_HEIGHT).to(tl.int32)
    wide, high = tl.load(record + BOX_WIDE).to(tl.int32), tl.load(record + BOX_HIGH).to(tl.int32)
    count = columns * rows
    i = tl.load(tile + 1) + tl.arange(0, lanes)
    here = i < count
    left = tl.load(record + BOX_LEFT).to(tl.int32) + i % columns * tl.load(record + BOX_ACROSS).to(tl.int32)
    top = tl.load(record + BOX_TOP).to(tl.int32) + i // columns * tl.load(record + BOX_DOWN).to(tl.int32)
    if tl.load(record + BOX_OF_BYTES) != 0:
        levels = tl.load(record + BOX_SOURCE).to(tl.pointer_type(tl.uint8))
        r, g, b = summed(levels, record, left, top, width, height, wide, high, here, lanes)
    else:
        floats = tl.load(record + BOX_SOURCE).to(tl.pointer_type(tl.float32))
        r, g, b = summed(floats, record, left, top, width, height, wide, high, here, lanes)
    right, bottom = tl.minimum(left + wide, width), tl.minimum(top + high, height)
    held = ((right - tl.maximum(left, 0)) * (bottom - tl.maximum(top, 0))).to(tl.float32)
    full = (wide * high).to(tl.float32)
    fill = tl.load(record + BOX_FILL)
    if fill != 0:
        color = fill.to(tl.pointer_type(tl.float32))
        r += (full - held) * tl.load(color)
        g += (full - held) * tl.load(color + 1)
        b += (full - held) * tl.load(color + 2)
    elif tl.load(record + BOX_WRAPS) == 0:
        more = full / tl.where(here, held, 1.0)
        r, g, b = r * more, g * more, b * more
    result = tl.load(record + BOX_RESULT).to(tl.pointer_type(tl.float32))
    tl.store(result + i, r, mask=here)
    tl.store(result + count + i, g, mask=here)
    tl.store(result + 2 * count + i, b, mask=here)


def summed(
    source: Address,
    record: Address,
    left: Block,
    top: Block,
    width: Block,
    height: Block,
    wide: Block,
    high: Block,
    here: Block,
    lanes: tl.constexpr,
) -> Block:
    """Sums of the pixels that the boxes at (left, top) hold: row after row, so that floats are added in one order."""
    stride, apart = tl.load(record + BOX_STRIDE).to(tl.int32), tl.load(record + BOX_APART).to(tl.int32)
    wraps = tl.load(record + BOX_WRAPS) != 0
    r = tl.full([lanes], 0.0, tl.float32)
    g = tl.full([lanes], 0.0, tl.float32)
    b = tl.full([lanes], 0.0, tl.float32)
    for j in range(0, high):
        for k in range(0, wide):
            column, row = left + k, top + j
            column = tl.where(wraps, column % width, column)
            row = tl.where(wraps, row % height, row)
            held = here & (column >= 0) & (column < width) & (row >= 0) & (row < height)
            at = (row * width + column) * stride
            r += tl.load(source + at, mask=held, other=0).to(tl.float32)
            g += tl.load(source + apart + at, mask=held, other=0).to(tl.float32)
            b += tl.load(source + 2 * apart + at, mask=held, other=0).to(tl.float32)
    return r, g, b
