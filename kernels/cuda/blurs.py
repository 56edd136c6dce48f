"""Blurs: the kernel of weighted sums along one side of a picture's planes."""

from __future__ import annotations

from typing import Any

import triton.language as tl

from kernels.cuda.records import (
    BLUR,
    BLUR_DOWN,
    BLUR_HEIGHT,
    BLUR_RESULT,
    BLUR_SEEN,
    BLUR_SOURCE,
    BLUR_TAPS,
    BLUR_WEIGHTS,
    BLUR_WIDTH,
)

Block = Any
Address = Any


def weigh(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    """One tile of a weighted sum, see `records.BLUR`."""
    weigh_tile(tiles, records, lanes)


def weigh_tile(tiles: Address, records: Address, lanes: tl.constexpr) -> None:
    tile = tiles + 2 * tl.program_id(0)
    record = records + BLUR * tl.load(tile)
    width, height = tl.load(record + BLUR_WIDTH).to(tl.int32), tl.load(record + BLUR_HEIGHT).to(tl.int32)
    pixels = width * height
    i = tl.load(tile + 1) + tl.arange(0, lanes)
    here = i < pixels
    line = i // width
    column = i - line * width
    down = tl.load(record + BLUR_DOWN) != 0
    # a pixel is at fixed + seen pace: along a row it keeps its line, down a column its column
    place, fixed = tl.where(down, line, column), tl.where(down, column, line * width)
    pace = tl.where(down, width, 1)
    source = tl.load(record + BLUR_SOURCE).to(tl.pointer_type(tl.float32)) + fixed
    weights = tl.load(record + BLUR_WEIGHTS).to(tl.pointer_type(tl.float32))
    seen = tl.load(record + BLUR_SEEN).to(tl.pointer_type(tl.int32)) + place
    r = tl.full([lanes], 0.0, tl.float32)
    g = tl.full([lanes], 0.0, tl.float32)
    b = tl.full([lanes], 0.0, tl.float32)
    for tap in range(0, tl.load(record + BLUR_TAPS).to(tl.int32)):
        weight = tl.load(weights + tap)
        at = source + tl.load(seen + tap, mask=here, other=0) * pace
        r += weight * tl.load(at, mask=here, other=0.0)
        g += weight * tl.load(at + pixels, mask=here, other=0.0)
        b += weight * tl.load(at + 2 * pixels, mask=here, other=0.0)
    result = tl.load(record + BLUR_RESULT).to(tl.pointer_type(tl.float32))
    tl.store(result + i, tl.minimum(r, 1.0), mask=here)
    tl.store(result + pixels + i, tl.minimum(g, 1.0), mask=here)
    tl.store(result + 2 * pixels + i, tl.minimum(b, 1.0), mask=here)
