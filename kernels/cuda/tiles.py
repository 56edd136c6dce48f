"""Tiles: the kernel that takes every picture of a launch through its program, tile by tile, from source to result.

Plain functions, made into Triton's by `kernels.cuda.compiled`. A tile is a run of one picture's pixels: a row of
`tiles`, the number of its record and of its first pixel. `run_step` and `mean_values` are generated from the catalogue.
"""

from __future__ import annotations

from typing import Any

import triton.language as tl

from kernels.cuda.number_words import rint
from kernels.cuda.places import between, follow, picked
from kernels.cuda.records import (
    APART,
    END,
    FIELDS,
    FIRST,
    FRONT,
    HEIGHT,
    LAST,
    LOAD,
    MEAN,
    MEAN_AT,
    PICK_BYTES,
    PLANE,
    PLANES,
    PROGRAM,
    RESULT,
    RESULT_STRIDE,
    ROW,
    SAMPLE_BYTES,
    SAMPLE_FLOATS,
    SETTLE,
    SETTLE_PART,
    SETTLE_SLOT,
    SETTLE_TOTAL,
    SHADES,
    SOURCE,
    STRIDE,
    SWEEP,
    TABLE,
    TOTAL,
    WIDTH,
)

Block = Any
Address = Any


def run_step(
    code: Block, r: Block, g: Block, b: Block, i: Block, width: Block, height: Block, at: Address, seed: Block, lanes: int
) -> Block:
    """Stands for what `frames.stepper` makes."""
    raise TypeError("run_step: only inside a kernel")


def mean_values(code: Block, r: Block, g: Block, b: Block, at: Address, lanes: int) -> Block:
    """Stands for what `frames.summer` makes."""
    raise TypeError("mean_values: only inside a kernel")


def sweep(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    """One tile of a sweep, see `records.SWEEP`."""
    sweep_tile(tiles, records, lanes)


def canvas(tiles: Address, records: Address, lanes: tl.constexpr) -> Block:
    """This tile's record, the sides and pixels of its canvas, and which of them are this tile's: some may not be there."""
    tile = tiles + 2 * tl.program_id(0)
    record = records + SWEEP * tl.load(tile)
    width, height = tl.load(record + WIDTH).to(tl.int32), tl.load(record + HEIGHT).to(tl.int32)
    pixels = width * height
    i = tl.load(tile + 1) + tl.arange(0, lanes)
    return record, width, height, pixels, i, i < pixels


def sweep_tile(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    record, width, height, pixels, i, here = canvas(tiles, records, lanes)
    plane = tl.load(record + PLANE)
    planes = plane.to(tl.pointer_type(tl.float32))
    front = tl.load(record + FRONT).to(tl.int32)
    if front == PLANES:
        r = tl.load(planes + i, mask=here, other=0.0)
        g = tl.load(planes + pixels + i, mask=here, other=0.0)
        b = tl.load(planes + 2 * pixels + i, mask=here, other=0.0)
    elif front == LOAD:
        r, g, b = loaded(record, i, here)
    else:
        r, g, b = fetched(record, front, i, here, width, lanes)
    program = tl.load(record + PROGRAM).to(tl.pointer_type(tl.int64))
    row = tl.load(record + ROW).to(tl.pointer_type(tl.float32))
    first, end = tl.load(record + FIRST).to(tl.int32), tl.load(record + END).to(tl.int32)
    for s in range(first, end):
        step = program + 4 * s
        seed = (tl.load(step + 2).to(tl.uint32), tl.load(step + 3).to(tl.uint32))
        code = tl.load(step).to(tl.int32)
        r, g, b = run_step(code, r, g, b, i, width, height, row + tl.load(step + 1), seed, lanes)
    mean = tl.load(record + MEAN).to(tl.int32)
    if mean >= 0:
        values = mean_values(mean, r, g, b, row + tl.load(record + MEAN_AT), lanes)
        # tl.sum, spelt so that the interpreter knows it too
        total = tl.reduce(tl.where(here, values, 0).to(tl.int64), 0, tl.standard._sum_combine)
        # whole numbers: the order in which tiles arrive changes nothing
        tl.atomic_add(tl.load(record + TOTAL).to(tl.pointer_type(tl.int64)), total, sem="relaxed")
    result = tl.load(record + RESULT)
    if result == 0:
        kept = here & (plane != 0)
        tl.store(planes + i, r, mask=kept)
        tl.store(planes + pixels + i, g, mask=kept)
        tl.store(planes + 2 * pixels + i, b, mask=kept)
    else:
        at = result.to(tl.pointer_type(tl.uint8)) + i * tl.load(record + RESULT_STRIDE).to(tl.int32)
        coloured = here & (tl.load(record + SHADES) == 3)
        tl.store(at, rint(r * 255.0).to(tl.int32).to(tl.uint8), mask=here)
        tl.store(at + 1, rint(g * 255.0).to(tl.int32).to(tl.uint8), mask=coloured)
        tl.store(at + 2, rint(b * 255.0).to(tl.int32).to(tl.uint8), mask=coloured)


def loaded(record: Address, i: Block, here: Block) -> Block:
    """Pixels i of the bytes of a picture, as fractions."""
    apart = tl.load(record + APART).to(tl.int32)
    at = tl.load(record + SOURCE).to(tl.pointer_type(tl.uint8)) + i * tl.load(record + STRIDE).to(tl.int32)
    r = tl.load(at, mask=here, other=0).to(tl.float32) / 255.0
    g = tl.load(at + apart, mask=here, other=0).to(tl.float32) / 255.0
    b = tl.load(at + 2 * apart, mask=here, other=0).to(tl.float32) / 255.0
    return r, g, b


def fetched(record: Address, front: Block, i: Block, here: Block, width: Block, lanes: tl.constexpr) -> Block:
    """Pixels i of the canvas at the end of a route, from what is at its beginning."""
    return read(record, front, 0.0, 0.0, i, here, width, lanes)


def average(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    """One tile of pixels that are read several times each, into planes; see `records.SWEEP`.

    No part of a sweep, which would keep a quarter fewer threads busy for it.
    """
    average_tile(tiles, records, lanes)


def average_tile(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    record, width, _, pixels, i, here = canvas(tiles, records, lanes)
    front = tl.load(record + FRONT).to(tl.int32)
    table = tl.load(record + TABLE).to(tl.pointer_type(tl.float64))
    aside, off = tl.load(table + 7), tl.load(table + 8)
    across, down = 1 + (aside > 0.0).to(tl.int32), 1 + (off > 0.0).to(tl.int32)
    r = tl.full([lanes], 0.0, tl.float32)
    g = tl.full([lanes], 0.0, tl.float32)
    b = tl.full([lanes], 0.0, tl.float32)
    for reading in range(0, across * down):
        to_right = tl.where(reading % across == 1, aside, -aside)
        to_below = tl.where(reading >= across, off, -off)
        red, green, blue = read(record, front, to_right, to_below, i, here, width, lanes)
        r += red
        g += green
        b += blue
    share = 1.0 / (across * down).to(tl.float32)
    planes = tl.load(record + PLANE).to(tl.pointer_type(tl.float32))
    tl.store(planes + i, r * share, mask=here)
    tl.store(planes + pixels + i, g * share, mask=here)
    tl.store(planes + 2 * pixels + i, b * share, mask=here)


def read(
    record: Address, front: Block, aside: Block, off: Block, i: Block, here: Block, width: Block, lanes: tl.constexpr
) -> Block:
    """One reading of pixels i, so far `aside` their centres along a row, and so far `off` along a column."""
    table = tl.load(record + TABLE).to(tl.pointer_type(tl.float64))
    fields = tl.load(record + FIELDS).to(tl.pointer_type(tl.float32))
    last = tl.load(record + LAST).to(tl.int32)
    stride, apart = tl.load(record + STRIDE).to(tl.int32), tl.load(record + APART).to(tl.int32)
    levels = tl.load(record + SOURCE).to(tl.pointer_type(tl.uint8))
    floats = tl.load(record + SOURCE).to(tl.pointer_type(tl.float32))
    x, y, weight, red, green, blue = follow(table, last, fields, aside, off, i, width, lanes)
    if front == SAMPLE_BYTES:
        r, g, b = between(levels, stride, apart, table, last, x, y, here)
    elif front == SAMPLE_FLOATS:
        r, g, b = between(floats, stride, apart, table, last, x, y, here)
    elif front == PICK_BYTES:
        r, g, b = picked(levels, stride, apart, table, last, x, y, here, 255.0)
    else:
        r, g, b = picked(floats, stride, apart, table, last, x, y, here, 1.0)
    return shown(r, weight, red), shown(g, weight, green), shown(b, weight, blue)


def shown(value: Block, weight: Block, fill: Block) -> Block:
    """What was read, under the fills that cover it."""
    return tl.minimum(tl.minimum(value * weight, 1.0) + fill, 1.0)


def settle(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    """A mean from its sum into its picture's parameters, see `records.SETTLE`."""
    settle_mean(tiles, records)


def settle_mean(tiles: Address, records: Address) -> None:
    record = records + SETTLE * tl.load(tiles + 2 * tl.program_id(0))
    total = tl.load(tl.load(record + SETTLE_TOTAL).to(tl.pointer_type(tl.int64)))
    mean = total.to(tl.float64) * tl.cast(tl.load(record + SETTLE_PART), tl.float64, bitcast=True)
    tl.store(tl.load(record + SETTLE_SLOT).to(tl.pointer_type(tl.float32)), mean.to(tl.float32))
