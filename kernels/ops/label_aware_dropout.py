"""label_aware_dropout: hide parts of the labelled objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch

from kernels.framing import place
from kernels.labels import ClassName
from kernels.op import Aim, Aimed, Op, Whole
from kernels.params import Color, Integer, IntegerRange, OfClasses, Params, Range, Uniform
from kernels.scatter import numbers
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.sight import Sight

Hole = tuple[int, int, int, int]
"""Whole pixels: left, top, right, bottom."""
_MOST = 100
"""Objects that lose something, so that neither painting nor the record is without bounds."""


class LabelAwareDropout(Params):
    """Paint rectangles over parts of labelled objects, so that a model learns to know them by what is left.

    Labels stay. Without any the picture itself is the object.
    """

    op: Literal["label_aware_dropout"] = "label_aware_dropout"
    share: Annotated[Range, Uniform(0, 1, unit="share of the objects")] = (0.5, 1.0)
    """How many objects lose something; one at least, but for 0, and 100 at most."""
    holes: Annotated[IntegerRange, Integer(1, 16, unit="holes in an object")] = (1, 3)
    """How many rectangles an object gets."""
    height: Annotated[Range, Uniform(0, 1, unit="fraction of the object's height")] = (0.1, 0.4)
    """Height of a rectangle."""
    width: Annotated[Range, Uniform(0, 1, unit="fraction of the object's width")] = (0.1, 0.4)
    """Width of a rectangle."""
    color: Color = (0.0, 0.0, 0.0)
    """What is painted."""
    classes: OfClasses = ()
    """Objects of these classes alone are looked at; all if empty."""


def aim(
    sight: Sight | None,
    size_in: Size,
    seed: tuple[int, int],
    share: float,
    holes: int,
    height: float,
    width: float,
    classes: Sequence[ClassName],
) -> Aimed:
    boxes = [] if sight is None else sight.extents(classes)
    if not boxes:
        boxes = [(0.0, 0.0, float(size_in.width), float(size_in.height))]
    lost = min(math.ceil(share * len(boxes)), _MOST)
    objects = sorted(np.argsort(numbers(len(boxes), seed, 0), kind="stable")[:lost].tolist())
    across, down = (numbers(len(boxes) * holes, seed, channel).tolist() for channel in (1, 2))
    made: list[Hole] = []
    for index in objects:
        left, top, right, bottom = boxes[index]
        for hole in range(index * holes, (index + 1) * holes):
            begin, end = _along(left, right, width, across[hole])
            first, last = _along(top, bottom, height, down[hole])
            made.append((begin, first, end, last))
    return Aimed({"made": tuple(made)}, {"objects": objects})


def _along(low: float, high: float, share: float, fraction: float) -> tuple[int, int]:
    """Whole pixels of a hole along a side of an object, whose ends are brought to whole pixels outwards."""
    begin, side = math.floor(low), math.ceil(high) - math.floor(low)
    extent = round(share * side)
    first = begin + place(fraction, side - extent)
    return first, first + extent


def painted(image: torch.Tensor, made: Sequence[Hole], color: tuple[float, float, float]) -> torch.Tensor:
    result, paint = image.clone(), torch.tensor(color, dtype=image.dtype, device=image.device)[:, None, None]
    for left, top, right, bottom in made:
        result[:, :, top:bottom, left:right] = paint
    return result


OP = Op(
    LabelAwareDropout,
    Whole(painted),
    examples=(
        LabelAwareDropout(share=(1, 1), holes=(2, 2), height=(0.4, 0.4), width=(0.4, 0.4)),
        LabelAwareDropout(share=(0.6, 0.6), holes=(4, 4), height=(0.2, 0.3), width=(0.2, 0.3), color=(0.5, 0.5, 0.5)),
    ),
    aim=Aim(("made",), aim),
)
