"""non_empty_crop: a window of one size that shows an object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from kernels.framing import place
from kernels.labels import ClassName, Corners
from kernels.matrices import translation
from kernels.op import Aim, Aimed, Matrix, Op, Places
from kernels.params import OfClasses, Range, SizeField, Uniform, Warp, size_of
from kernels.picks import one_of
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.sight import Sight


class NonEmptyCrop(Warp):
    """Cut a window out of the picture, somewhere where it shows a labelled object, whole if it is large enough. Exact.

    Where only a class mask says where objects are, a pixel that has a class is drawn and shown. Without labels it is
    `random_crop`. A picture that is too small is padded.
    """

    op: Literal["non_empty_crop"] = "non_empty_crop"
    size: SizeField = (224, 224)
    """Size of the result, [height, width] in pixels."""
    pick: Annotated[Range, Uniform(0, 1, unit="place among the objects")] = (0.0, 1.0)
    """Which object, or which pixel: from the first (0) to the last (1)."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Place of the window from left (0) to right (1), of those that show the object."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Place of the window from top (0) to bottom (1), of those that show the object."""
    classes: OfClasses = ()
    """Objects of these classes alone are looked at; all if empty."""


def aim(
    sight: Sight | None,
    size_in: Size,
    size: tuple[int, int],
    pick: float,
    x: float,
    y: float,
    classes: Sequence[ClassName],
) -> Aimed:
    box = None if sight is None else _shown(sight, pick, classes)
    (height, width), (rows, columns) = size_in, size
    left, top, right, bottom = box or (0.0, 0.0, float(width), float(height))
    found = [_begin(x, left, right, width, columns), _begin(y, top, bottom, height, rows)]
    return Aimed({"corner": tuple(found)}, {"corner": found, "shown": None if box is None else [*box]})


def _shown(sight: Sight, pick: float, classes: Sequence[ClassName]) -> Corners | None:
    if sight.is_mask_only:
        assert sight.mask is not None
        wanted = sight.mask != 0
        if classes:
            wanted &= np.isin(sight.mask, [name for name in classes if isinstance(name, int)])
        pixels = np.flatnonzero(wanted)
        if not len(pixels):
            return None
        row, column = divmod(int(pixels[min(int(pick * len(pixels)), len(pixels) - 1)]), sight.size.width)
        return float(column), float(row), column + 1.0, row + 1.0
    boxes = sight.extents(classes)
    return one_of(boxes, pick) if boxes else None


def _begin(fraction: float, low: float, high: float, side: int, window: int) -> int:
    """Where the window begins along a side of the picture: it holds low .. high, or, where that is longer, lies in it."""
    if window >= side:
        return place(fraction, side - window)
    ends = sorted((math.ceil(high) - window, math.floor(low)))
    first, last = (min(max(end, 0), side - window) for end in ends)
    return first + place(fraction, last - first)


def matrix(size_in: Size, corner: tuple[int, int]) -> Matrix:
    return translation(-corner[0], -corner[1])


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    NonEmptyCrop,
    Places(matrix, canvas),
    examples=(
        NonEmptyCrop(size=(120, 160), pick=(0, 0), x=(0.5, 0.5), y=(0.5, 0.5)),
        NonEmptyCrop(size=(96, 96), border="reflect"),
    ),
    aim=Aim(("corner",), aim),
)
