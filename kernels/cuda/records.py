"""Records: what kernels are told of each item of a launch, as rows of whole numbers; addresses among them.

Everything that a recipe, a seed or a size decides stands here or in memory that a record points to, and nothing is an
argument of a kernel: so nothing is ever compiled for it.
"""

from __future__ import annotations

PLANES, LOAD, SAMPLE_BYTES, SAMPLE_FLOATS, PICK_BYTES, PICK_FLOATS = range(6)
"""FRONT, where a sweep's pixels come from: its planes; bytes in their order; bytes or floats along a route, between
pixels; bytes (as fractions) or floats along a route that leads from pixel to pixel."""

(
    SOURCE,
    STRIDE,
    APART,
    FRONT,
    TABLE,
    LAST,
    FIELDS,
    PLANE,
    RESULT,
    RESULT_STRIDE,
    SHADES,
    WIDTH,
    HEIGHT,
    PROGRAM,
    FIRST,
    END,
    ROW,
    MEAN,
    MEAN_AT,
    TOTAL,
) = range(20)
"""A sweep. The source, values from pixel to pixel and from channel to channel; route and its last row, displacement
fields; planes (3, H, W) float32, which hold the result too if there is no RESULT (0: nothing is kept); bytes of the
result, from pixel to pixel, how many of its channels are written; the canvas; program, its first step and the one after
its last, parameters; opcode of what is averaged afterwards (below 0: nothing), the place of its parameters, and where
the sum goes."""
SWEEP = 20

SETTLE_TOTAL, SETTLE_SLOT, SETTLE_PART = range(3)
"""A mean to be written into a parameter row: address of the sum and of the parameter, and what the sum
is to be multiplied by, the bits of a float64."""
SETTLE = 3

(
    BOX_SOURCE,
    BOX_OF_BYTES,
    BOX_STRIDE,
    BOX_APART,
    BOX_WIDTH,
    BOX_HEIGHT,
    BOX_LEFT,
    BOX_TOP,
    BOX_COLUMNS,
    BOX_ROWS,
    BOX_WIDE,
    BOX_HIGH,
    BOX_ACROSS,
    BOX_DOWN,
    BOX_COLUMN_WEIGHT,
    BOX_ROW_WEIGHT,
    BOX_BORDER,
    BOX_FILL,
    BOX_RESULT,
) = range(19)
"""Boxes. The source, whether its values are bytes (else floats), its strides and sides; where the first box begins, how
many there are in a row and in a column; their sides, and from one to the next; the weights of `route.Boxes`;
what is beyond the source, a code of `kernels.cpu.places`, and the address of the three floats that are, where
that is CONSTANT; planes (3, rows, columns) float32."""
BOXES = 19

BLUR_SOURCE, BLUR_RESULT, BLUR_WIDTH, BLUR_HEIGHT, BLUR_TAPS, BLUR_WEIGHTS, BLUR_SEEN, BLUR_DOWN = range(8)
"""A weighted sum along one side. Planes in, planes out, the canvas, number and address of the weights, which pixel is
seen at each place of the window's way (int32), whether the way is down instead of across."""
BLUR = 8
