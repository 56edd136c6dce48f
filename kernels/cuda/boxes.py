"""Boxes: the kernel that sums whole boxes of a picture's pixels, for chains that shrink. One box of all three channels
for each number of a tile."""

from __future__ import annotations

from typing import Any

import triton.language as tl

from kernels.cuda.records import (
    BOX_APART,
    BOX_COLUMNS,
    BOX_FILL,
    BOX_HIGH,
    BOX_LINE,
    BOX_OF_BYTES,
    BOX_RESULT,
    BOX_ROWS,
    BOX_SOURCE,
    BOX_STRIDE,
    BOX_WIDE,
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
    wide, high = tl.load(record + BOX_WIDE).to(tl.int32), tl.load(record + BOX_HIGH).to(tl.int32)
    boxes_across, boxes_down = (columns + wide - 1) // wide, (rows + high - 1) // high
    count = boxes_across * boxes_down
    i = tl.load(tile + 1) + tl.arange(0, lanes)
    here = i < count
    left, top = i % boxes_across * wide, i // boxes_across * high
    if tl.load(record + BOX_OF_BYTES) != 0:
        levels = tl.load(record + BOX_SOURCE).to(tl.pointer_type(tl.uint8))
        r, g, b = summed(levels, record, left, top, columns, rows, wide, high, here, lanes)
    else:
        floats = tl.load(record + BOX_SOURCE).to(tl.pointer_type(tl.float32))
        r, g, b = summed(floats, record, left, top, columns, rows, wide, high, here, lanes)
    held = (tl.minimum(columns - left, wide) * tl.minimum(rows - top, high)).to(tl.float32)
    full = (wide * high).to(tl.float32)
    fill = tl.load(record + BOX_FILL)
    if fill != 0:
        color = fill.to(tl.pointer_type(tl.float32))
        r += (full - held) * tl.load(color)
        g += (full - held) * tl.load(color + 1)
        b += (full - held) * tl.load(color + 2)
    else:
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
    columns: Block,
    rows: Block,
    wide: Block,
    high: Block,
    here: Block,
    lanes: tl.constexpr,
) -> Block:
    """Sums of the pixels that the boxes at (left, top) hold: row after row, so that floats are added in one order."""
    stride, apart = tl.load(record + BOX_STRIDE).to(tl.int32), tl.load(record + BOX_APART).to(tl.int32)
    line = tl.load(record + BOX_LINE).to(tl.int32)
    r = tl.full([lanes], 0.0, tl.float32)
    g = tl.full([lanes], 0.0, tl.float32)
    b = tl.full([lanes], 0.0, tl.float32)
    for j in range(0, high):
        for k in range(0, wide):
            held = here & (left + k < columns) & (top + j < rows)
            at = ((top + j) * line + left + k) * stride
            r += tl.load(source + at, mask=held, other=0).to(tl.float32)
            g += tl.load(source + apart + at, mask=held, other=0).to(tl.float32)
            b += tl.load(source + 2 * apart + at, mask=held, other=0).to(tl.float32)
    return r, g, b
