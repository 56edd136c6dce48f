"""Boxes: the kernel that sums boxes of a picture's pixels, for chains that shrink; they may overlap. One box of all three
channels for each number of a tile."""

from __future__ import annotations

from typing import Any

import triton.language as tl

from kernels.cpu.places import CONSTANT, REFLECT, WRAP
from kernels.cuda.records import (
    BOX_ACROSS,
    BOX_APART,
    BOX_BORDER,
    BOX_COLUMN_WEIGHT,
    BOX_COLUMNS,
    BOX_DOWN,
    BOX_FILL,
    BOX_HEIGHT,
    BOX_HIGH,
    BOX_LEFT,
    BOX_OF_BYTES,
    BOX_RESULT,
    BOX_ROW_WEIGHT,
    BOX_ROWS,
    BOX_SOURCE,
    BOX_STRIDE,
    BOX_TOP,
    BOX_WIDE,
    BOX_WIDTH,
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
    count = columns * rows
    i = tl.load(tile + 1) + tl.arange(0, lanes)
    here = i < count
    left = tl.load(record + BOX_LEFT).to(tl.int32) + i % columns * tl.load(record + BOX_ACROSS).to(tl.int32)
    top = tl.load(record + BOX_TOP).to(tl.int32) + i // columns * tl.load(record + BOX_DOWN).to(tl.int32)
    if tl.load(record + BOX_OF_BYTES) != 0:
        levels = tl.load(record + BOX_SOURCE).to(tl.pointer_type(tl.uint8))
        r, g, b = summed(levels, record, left, top, width, height, here, lanes)
    else:
        floats = tl.load(record + BOX_SOURCE).to(tl.pointer_type(tl.float32))
        r, g, b = summed(floats, record, left, top, width, height, here, lanes)
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
    here: Block,
    lanes: tl.constexpr,
) -> Block:
    """Sums of the pixels that the boxes at (left, top) hold: row after row, so that floats are added in one order."""
    stride, apart = tl.load(record + BOX_STRIDE).to(tl.int32), tl.load(record + BOX_APART).to(tl.int32)
    wide, high = tl.load(record + BOX_WIDE).to(tl.int32), tl.load(record + BOX_HIGH).to(tl.int32)
    column_weight = tl.load(record + BOX_COLUMN_WEIGHT).to(tl.float32)
    row_weight = tl.load(record + BOX_ROW_WEIGHT).to(tl.float32)
    border = tl.load(record + BOX_BORDER).to(tl.int32)
    fill = tl.load(record + BOX_FILL).to(tl.pointer_type(tl.float32))
    red, green, blue = tl.load(fill), tl.load(fill + 1), tl.load(fill + 2)
    r = tl.full([lanes], 0.0, tl.float32)
    g = tl.full([lanes], 0.0, tl.float32)
    b = tl.full([lanes], 0.0, tl.float32)
    for j in range(0, high):
        for k in range(0, wide):
            column, row = left + k, top + j
            held = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            at = (shown(row, height, border) * width + shown(column, width, border)) * stride
            covered = held | (border != CONSTANT)
            weight = tl.where(is_heavy(j, high), row_weight, 1.0) * tl.where(is_heavy(k, wide), column_weight, 1.0)
            r += weight * tl.where(covered, tl.load(source + at, mask=here, other=0).to(tl.float32), red)
            g += weight * tl.where(covered, tl.load(source + apart + at, mask=here, other=0).to(tl.float32), green)
            b += weight * tl.where(covered, tl.load(source + 2 * apart + at, mask=here, other=0).to(tl.float32), blue)
    return r, g, b


def is_heavy(place: Block, places: Block) -> Block:
    """Whether a pixel along a side of a box is none of the outermost; of two, whether it is the first."""
    return ((place > 0) & (place < places - 1)) | ((places == 2) & (place == 0))


def shown(place: Block, side: Block, border: Block) -> Block:
    """The pixel that is seen at a place of a side, which goes beyond it by less than its length."""
    mirrored = tl.where(place < 0, -1 - place, tl.where(place < side, place, 2 * side - 1 - place))
    repeated = tl.where(place < 0, place + side, tl.where(place < side, place, place - side))
    place = tl.where(border == REFLECT, mirrored, tl.where(border == WRAP, repeated, place))
    return tl.minimum(tl.maximum(place, 0), side - 1)
