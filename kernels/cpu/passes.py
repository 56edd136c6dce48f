"""Passes: the compiled kernel that takes a picture through pass after pass, and comes back to Python once.

What is to be done is one row of numbers, for arguments cost Python more than what is worked out from them here:

    FRONT   0 where the picture is, as `tiles.advance` says; 1 height, 2 width of what the first pass makes
    CHAIN   3 how many links the picture is read along, if it is sampled; the links, `LINK` numbers each (see `route`)

and then one pass after the other:

    SWEEP   1 whether it ends in `result`, or in `planes`; 2 steps; 3 cut, 4 mean, 5 mean_at, 6 slot, as of
            `tiles.advance`; 7 parameters; the steps, four numbers each; the parameters
    WEIGH   1 how many weights; the weights of sums over neighbours, on `planes`
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.cpu.blurs import mirrored, weigh
from kernels.cpu.boxes import shrink
from kernels.cpu.intrinsics import Bytes, Floats
from kernels.cpu.itinerary import plot
from kernels.cpu.places import COLUMNS, find_lines, is_straight
from kernels.cpu.tiles import advance, lined_up
from kernels.route import FILL, INPUT, LINK, counted, most_rows

PLANES, LOAD, SAMPLE_BYTES, SAMPLE_SUMS, SAMPLE_FLOATS = range(5)
"""Where a pass begins; see `tiles.advance`. Bytes that are shrunk are ordered as bytes, and summed here."""
ALONG_ROUTES = (SAMPLE_BYTES, SAMPLE_SUMS, SAMPLE_FLOATS)
"""Those that read along a route."""
SWEEP, WEIGH = range(2)
FRONT, CHAIN, PASS = 3, 1, 8
"""Numbers at the front, before the links, and before the steps of a sweep."""
Orders = NDArray[np.float64]


def carry(
    orders: Orders,
    source: Bytes,
    floats: Floats,
    fields: Floats,
    planes: NDArray[np.float32],
    scratch: Floats,
    result: Bytes,
) -> int:
    """A picture through the passes that are ordered: from `source` or `floats`, interleaved, or `planes` (3, pixels).

    The floats of scratch that were wanted: where fewer are given, memory is asked for. fields: displacements, one after the
    other. From the bytes to a result in one pass without a mean, `planes` need hold only one tile.
    """
    front, height, width, links = int(orders[0]), int(orders[1]), int(orders[2]), int(orders[FRONT])
    at = FRONT + CHAIN
    table, sums, sampled, wanted = np.zeros((1, COLUMNS)), np.zeros(0, np.uint16), floats, 0
    if links > 0:
        chain = orders[at : at + LINK * links].reshape(links, LINK)
        at += LINK * links
        level = 255.0 if front == SAMPLE_BYTES else 1.0
        route = np.zeros((most_rows(links), COLUMNS))
        (rows, _, _, wide, high, across, down, column_weight, row_weight, left, top, columns, lines, border) = plot(
            chain, level, route
        )
        table = route[:rows]
        if front == SAMPLE_BYTES and (wide > 1 or high > 1):
            count = 3 * columns * lines
            # whole numbers of 16 bits where they hold every sum: half of the memory to read again
            fits = 255 * counted(wide, column_weight) * counted(high, row_weight) < 65536
            wanted = -(-count // 2) if fits else count
            room = roomy(scratch, wanted)
            fill = np.empty(3, np.float32)
            for channel in range(3):
                fill[channel] = chain[0, FILL + channel] * level
            tall, broad = int(chain[0, INPUT]), int(chain[0, INPUT + 1])
            of = wide, high, across, down, column_weight, row_weight
            straight = is_straight(table)
            read = np.zeros(lines if straight else 0, np.uint8)
            if straight:
                find_lines(table, height, read)
            if fits:
                sums, front = room.view(np.uint16)[:count], SAMPLE_SUMS
                shrink(source, broad, tall, left, top, columns, lines, *of, border, fill, read, sums)
            else:
                sampled, front = room[:count], SAMPLE_FLOATS
                shrink(source, broad, tall, left, top, columns, lines, *of, border, fill, read, sampled)
    while at < orders.size:
        if orders[at] == SWEEP:
            at = sweep_through(orders, at, front, source, sums, sampled, table, fields, planes, width, height, result)
            front = PLANES
        else:
            taps = int(orders[at + 1])
            need = (height + 2) * (width + 15) + taps
            wanted = max(wanted, need)
            weights = numbers(orders, at + 2, taps)
            columns_seen, rows_seen = mirrored(width, taps // 2), mirrored(height, taps // 2)
            weigh(planes, width, height, weights, columns_seen, rows_seen, roomy(scratch, need))
            at += 2 + taps
    return wanted


def sweep_through(
    orders: Orders,
    at: int,
    front: int,
    source: Bytes,
    sums: NDArray[np.uint16],
    floats: Floats,
    table: NDArray[np.float64],
    fields: Floats,
    planes: NDArray[np.float32],
    width: int,
    height: int,
    result: Bytes,
) -> int:
    """One sweep, ordered at orders[at]; where its order ends."""
    steps, parameters = int(orders[at + 2]), int(orders[at + 7])
    first = at + PASS
    program = np.empty((steps, 4), np.int64)
    for step in range(steps):
        for column in range(4):
            program[step, column] = int(orders[first + 4 * step + column])
    row = numbers(orders, first + 4 * steps, parameters)
    cut, mean, mean_at, slot = int(orders[at + 3]), int(orders[at + 4]), int(orders[at + 5]), int(orders[at + 6])
    ends = result if orders[at + 1] > 0.0 else result[:0]
    advance(front, source, sums, floats, table, fields, planes, width, height, program, row, cut, mean, mean_at, slot, ends)
    return first + 4 * steps + parameters


def numbers(orders: Orders, at: int, count: int) -> NDArray[np.float32]:
    """Numbers of 32 bits that the orders have from a place on."""
    found = np.empty(count, np.float32)
    for place in range(count):
        found[place] = orders[at + place]
    return found


def roomy(scratch: Floats, count: int) -> Floats:
    """Scratch that holds so many floats: the given one, or another."""
    if scratch.size >= count:
        return scratch
    return lined_up(1, count).reshape(-1)
