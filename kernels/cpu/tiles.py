"""Tiles: the compiled kernel that takes a picture through a program, tile by tile, from its source to its result.

Plain functions, compiled by `kernels.cpu.compiled`; `run_steps` and `sum_values` are generated from the catalogue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.intrinsics import Bytes, Floats, load_pixels, rint32, store_pixels, truncated
from kernels.cpu.places import SCRATCH_ROWS, Table, read_again, read_tile, route_tile

f32 = np.float32
TILE = 1536
"""Pixels of a tile, a multiple of 16."""


def run_steps(
    red: Floats,
    green: Floats,
    blue: Floats,
    count: int,
    program: NDArray[np.int64],
    first: int,
    last: int,
    row: Floats,
    base: int,
    width: int,
    height: int,
) -> None:
    """Stands for what `frames.interpreter` makes."""
    raise TypeError("run_steps: only inside a compiled kernel")


def sum_values(red: Floats, green: Floats, blue: Floats, count: int, opcode: int, row: Floats, at: int) -> int:
    """Stands for what `frames.summer` makes."""
    raise TypeError("sum_values: only inside a compiled kernel")


def load_tile(source: Bytes, base: int, count: int, red: Floats, green: Floats, blue: Floats) -> None:
    """Pixels base .. base + count of (H, W, 3) bytes as planes 0..1."""
    whole = count // 16 * 16
    for t in range(0, whole, 16):
        load_pixels(source, 3 * (base + t), red, green, blue, t)
    for t in range(whole, count):
        red[t] = f32(source[3 * (base + t)]) / f32(255.0)
        green[t] = f32(source[3 * (base + t) + 1]) / f32(255.0)
        blue[t] = f32(source[3 * (base + t) + 2]) / f32(255.0)


def store_tile(red: Floats, green: Floats, blue: Floats, count: int, result: Bytes, base: int) -> None:
    """Planes 0..1 as pixels base .. base + count of (H, W, 3) bytes."""
    whole = count // 16 * 16
    for t in range(0, whole, 16):
        store_pixels(red, green, blue, t, result, 3 * (base + t))
    for t in range(whole, count):
        result[3 * (base + t)] = truncated(rint32(red[t] * f32(255.0)))
        result[3 * (base + t) + 1] = truncated(rint32(green[t] * f32(255.0)))
        result[3 * (base + t) + 2] = truncated(rint32(blue[t] * f32(255.0)))


def lined_up(rows: int, columns: int) -> NDArray[np.float32]:
    """Floats that begin at the start of a line of the processor's cache, or every vector read would touch two."""
    memory = np.empty(rows * columns + 16, np.float32)
    first = (64 - memory.ctypes.data % 64) % 64 // 4
    return memory[first : first + rows * columns].reshape(rows, columns)


def advance(
    front: int,
    source: Bytes,
    sums: NDArray[np.uint16],
    floats: Floats,
    table: Table,
    fields: Floats,
    planes: NDArray[np.float32],
    width: int,
    height: int,
    program: NDArray[np.int64],
    row: Floats,
    cut: int,
    mean: int,
    mean_at: int,
    slot: int,
    result: Bytes,
) -> None:
    """A picture of `width` x `height` pixels through all of `program`.

    front: 0 goes on with `planes` (3, pixels), 1 loads `source`; 2 samples `source`, 3 `sums` and 4 `floats`, all
    interleaved, along the route `table` (see `places`). Tiles end in `result` (3 bytes a pixel), or in `planes` if it is
    empty. From the bytes to a result in one pass, `planes` need hold only one tile.

    mean: the opcode of what is averaged after the first `cut` steps (below 0: nothing), with its parameters at
    row[mean_at]; its mean becomes row[slot] before the other steps.
    """
    steps = program.shape[0]
    if mean < 0:
        sweep(front, source, sums, floats, table, fields, planes, width, height, program, 0, steps, row, -1, 0, result)
        return
    nowhere = result[:0]
    total = sweep(
        front, source, sums, floats, table, fields, planes, width, height, program, 0, cut, row, mean, mean_at, nowhere
    )
    row[slot] = f32(total / (16777216.0 * (width * height)))
    sweep(0, source, sums, floats, table, fields, planes, width, height, program, cut, steps, row, -1, 0, result)


def sweep(
    front: int,
    source: Bytes,
    sums: NDArray[np.uint16],
    floats: Floats,
    table: Table,
    fields: Floats,
    planes: NDArray[np.float32],
    width: int,
    height: int,
    program: NDArray[np.int64],
    first: int,
    last: int,
    row: Floats,
    mean: int,
    mean_at: int,
    result: Bytes,
) -> int:
    """One pass over all tiles: steps first .. last; the sum of what is averaged after them, in steps of 2^-24."""
    pixels = width * height
    passing = front != 0 and result.size > 0
    total = 0
    scratch = lined_up(SCRATCH_ROWS, TILE + 16)
    offsets = np.empty(TILE, np.int32)
    for base in range(0, pixels, TILE):
        count = min(TILE, pixels - base)
        start = 0 if passing else base
        red = planes[0, start : start + count]
        green = planes[1, start : start + count]
        blue = planes[2, start : start + count]
        if front == 1:
            load_tile(source, base, count, red, green, blue)
        elif front != 0:
            leaves = route_tile(table, fields, -table[0, 7], -table[0, 8], base, count, width, scratch, offsets)
            if front == 2:
                read_tile(source, table, count, scratch, offsets, leaves, red, green, blue)
            elif front == 3:
                read_tile(sums, table, count, scratch, offsets, leaves, red, green, blue)
            else:
                read_tile(floats, table, count, scratch, offsets, leaves, red, green, blue)
            if table[0, 7] > 0.0 or table[0, 8] > 0.0:
                if front == 2:
                    read_again(source, table, fields, base, count, width, scratch, offsets, red, green, blue)
                elif front == 3:
                    read_again(sums, table, fields, base, count, width, scratch, offsets, red, green, blue)
                else:
                    read_again(floats, table, fields, base, count, width, scratch, offsets, red, green, blue)
        run_steps(red, green, blue, count, program, first, last, row, base, width, height)
        if mean >= 0:
            total += sum_values(red, green, blue, count, mean, row, mean_at)
        if result.size > 0:
            store_tile(red, green, blue, count, result, base)
    return total
