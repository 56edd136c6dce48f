"""box_safe_crop: a window that keeps the labelled objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from kernels.framing import place
from kernels.labels import ClassName, Corners
from kernels.matrices import translation
from kernels.matrices import window as stretched
from kernels.op import Aim, Aimed, Matrix, Op, Places
from kernels.params import OfClasses, Params, Range, SizeField, Uniform, size_of
from kernels.picks import one_of
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.sight import Sight

Cut = Annotated[Range, Uniform(0, 1, unit="share of what may be cut off")]


class BoxSafeCrop(Params):
    """Cut off the picture's sides as far as its labelled objects stay in it: all of them, or one.

    Each side is cut at a random place between the picture's edge and the objects. Without labels it is a random window that
    holds the middle of the picture. No crop is tried and thrown away, as SSD's IoU crop does (W. Liu et al., ECCV 2016).
    """

    op: Literal["box_safe_crop"] = "box_safe_crop"
    keep: Literal["all", "one"] = "all"
    """Which objects stay: all, or one that is drawn."""
    erode: Annotated[Range, Uniform(0, 1, unit="share of the kept box's sides")] = (0.0, 0.0)
    """How much smaller the box that surely stays is than theirs: 0 keeps them whole, 1 only their middle."""
    pick: Annotated[Range, Uniform(0, 1, unit="place among the objects")] = (0.0, 1.0)
    """Which object stays, where `keep` is one: from the first (0) to the last (1)."""
    left: Cut = (0.0, 1.0)
    """How much is cut off at the left."""
    top: Cut = (0.0, 1.0)
    """How much is cut off at the top."""
    right: Cut = (0.0, 1.0)
    """How much is cut off at the right."""
    bottom: Cut = (0.0, 1.0)
    """How much is cut off at the bottom."""
    size: SizeField | None = None
    """[height, width] in pixels that the window is stretched to; null: it keeps its own size, and is exact."""
    classes: OfClasses = ()
    """Objects of these classes alone are looked at; all if empty."""


def aim(
    sight: Sight | None,
    size_in: Size,
    keep: str,
    erode: float,
    pick: float,
    left: float,
    top: float,
    right: float,
    bottom: float,
    classes: Sequence[ClassName],
) -> Aimed:
    boxes = [] if sight is None else sight.extents(classes)
    if boxes and keep == "one":
        boxes = [one_of(boxes, pick)]
    height, width = size_in
    a, b, c, d = _around(boxes) if boxes else (width / 2, height / 2, width / 2, height / 2)
    (begin, end), (first, last) = _kept(a, c, erode, width), _kept(b, d, erode, height)
    found = [
        place(left, begin),
        place(top, first),
        width - place(right, width - end),
        height - place(bottom, height - last),
    ]
    return Aimed({"window": tuple(found)}, {"window": found, "objects": len(boxes)})


def _around(boxes: Sequence[Corners]) -> Corners:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _kept(low: float, high: float, erode: float, side: int) -> tuple[int, int]:
    """Whole pixels, one at least, that hold an interval after it was made smaller about its middle."""
    less = erode * (high - low) / 2
    begin = min(math.floor(low + less), side - 1)
    return begin, max(math.ceil(high - less), begin + 1)


def matrix(size_in: Size, window: tuple[int, int, int, int], size: tuple[int, int] | None) -> Matrix:
    left, top, right, bottom = window
    if size is None:
        return translation(-left, -top)
    return stretched(left, top, right - left, bottom - top, size_of(size))


def canvas(size_in: Size, window: tuple[int, int, int, int], size: tuple[int, int] | None) -> Size:
    left, top, right, bottom = window
    return Size(bottom - top, right - left) if size is None else size_of(size)


OP = Op(
    BoxSafeCrop,
    Places(matrix, canvas),
    examples=(
        BoxSafeCrop(left=(0.9, 0.9), top=(0.8, 0.8), right=(0.7, 0.7), bottom=(0.9, 0.9)),
        BoxSafeCrop(keep="one", erode=(0.2, 0.5), size=(160, 240)),
    ),
    aim=Aim(("window",), aim),
)
