"""crop_near_box: the surroundings of one labelled object."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from kernels.labels import ClassName, Corners
from kernels.op import Aim, Aimed, Op, Places
from kernels.ops.box_safe_crop import canvas, matrix
from kernels.params import OfClasses, Params, Range, SizeField, Uniform
from kernels.picks import one_of
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.sight import Sight

_POINT = 1.01
"""What is seen of an object of one keypoint is a pixel wide and high, but for rounding."""
Margin = Annotated[Range, Uniform(-0.5, 2, unit="sides of the object")]


class CropNearBox(Params):
    """Cut one labelled object out, each side of the window at a random place near the object's.

    Without labels the picture itself is the object: only sides that are moved inwards cut something off. An object of
    a single keypoint counts only where there is no larger one.
    """

    op: Literal["crop_near_box"] = "crop_near_box"
    pick: Annotated[Range, Uniform(0, 1, unit="place among the objects")] = (0.0, 1.0)
    """Which object: from the first (0) to the last (1)."""
    left: Margin = (-0.3, 0.3)
    """How far the window reaches beyond the object's left side; below 0 it cuts into the object."""
    top: Margin = (-0.3, 0.3)
    """How far it reaches above the object."""
    right: Margin = (-0.3, 0.3)
    """How far it reaches to the right of it."""
    bottom: Margin = (-0.3, 0.3)
    """How far it reaches below it."""
    size: SizeField | None = None
    """[height, width] in pixels that the window is stretched to; null: it keeps its own size, and is exact."""
    classes: OfClasses = ()
    """Objects of these classes alone are looked at; all if empty."""


def aim(
    sight: Sight | None,
    size_in: Size,
    pick: float,
    left: float,
    top: float,
    right: float,
    bottom: float,
    classes: Sequence[ClassName],
) -> Aimed:
    boxes = [] if sight is None else _larger(sight.extents(classes))
    height, width = size_in
    a, b, c, d = one_of(boxes, pick) if boxes else (0.0, 0.0, float(width), float(height))
    begin, end = _reach(a, c, left, right, width)
    first, last = _reach(b, d, top, bottom, height)
    found = [begin, first, end, last]
    return Aimed({"window": tuple(found)}, {"window": found, "objects": len(boxes)})


def _larger(boxes: list[Corners]) -> list[Corners]:
    """Those that are more than the pixel about a point; all if none is."""
    return [box for box in boxes if max(box[2] - box[0], box[3] - box[1]) > _POINT] or boxes


def _reach(low: float, high: float, before: float, after: float, side: int) -> tuple[int, int]:
    """Whole pixels of the window along a side of the picture: one at least, none beyond the picture."""
    extent = high - low
    begin = min(max(math.floor(low - before * extent + 0.5), 0), side - 1)
    return begin, min(max(math.floor(high + after * extent + 0.5), begin + 1), side)


OP = Op(
    CropNearBox,
    Places(matrix, canvas),
    examples=(
        CropNearBox(left=(0.2, 0.2), top=(0.4, 0.4), right=(-0.1, -0.1), bottom=(-0.2, -0.2)),
        CropNearBox(size=(96, 96)),
    ),
    aim=Aim(("window",), aim),
)
