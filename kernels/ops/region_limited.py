"""region_limited: steps in one region of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from kernels.framing import place
from kernels.labels import ClassName
from kernels.op import Aim, Aimed, Op, Piece, Region, Within
from kernels.ops.grayscale import Grayscale
from kernels.ops.invert import Invert
from kernels.params import Choice, Group, Names, OfClasses, Range, Uniform
from kernels.tensors import Size

if TYPE_CHECKING:
    from kernels.sight import Sight


class RegionLimited(Group):
    """Carry out the steps inside, in order, and show what they make of the picture in one region only.

    The region is a rectangle or an ellipse at a random place, or the labelled objects: their outlines, else their boxes,
    else the class mask; without labels it is a rectangle. The steps may not move pixels.
    """

    op: Literal["region_limited"] = "region_limited"
    shape: Annotated[Names, Choice(("rectangle", "ellipse", "objects"))] = ("rectangle", "ellipse")
    """What the region is."""
    height: Annotated[Range, Uniform(0, 1, unit="fraction of the picture's height")] = (0.3, 0.7)
    """Height of a rectangle or an ellipse."""
    width: Annotated[Range, Uniform(0, 1, unit="fraction of the picture's width")] = (0.3, 0.7)
    """Its width."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Its place from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Its place from top (0) to bottom (1)."""
    side: Literal["inside", "outside"] = "inside"
    """Whether the result is shown in the region, or everywhere else."""
    classes: OfClasses = ()
    """Objects of these classes alone are the region; all if empty."""


def aim(
    sight: Sight | None,
    size_in: Size,
    shape: str,
    height: float,
    width: float,
    x: float,
    y: float,
    side: str,
    classes: Sequence[ClassName],
) -> Aimed:
    if shape == "objects" and sight is not None:
        if sight.outlined():
            found = sight.outlined(classes)
            inside, objects = sight.covered(found), len(found)
        else:
            parts = sight.parts(classes)
            inside, objects = parts.marked > 0, len(parts.boxes)
        told = {"region": "objects", "objects": objects}
    else:
        rows, columns = max(round(height * size_in.height), 1), max(round(width * size_in.width), 1)
        left, top = place(x, size_in.width - columns), place(y, size_in.height - rows)
        across, down = np.arange(size_in.width) + 0.5 - left, np.arange(size_in.height)[:, None] + 0.5 - top
        if shape == "ellipse":
            inside = np.square(2 * across / columns - 1) + np.square(2 * down / rows - 1) <= 1.0
        else:
            inside = (across > 0) & (across < columns) & (down > 0) & (down < rows)
        told = {"region": "ellipse" if shape == "ellipse" else "rectangle", "box": [left, top, left + columns, top + rows]}
    shown = inside if side == "inside" else ~inside
    return Aimed({"shown": shown.astype(np.float32)}, told)


def pieces(size_in: Size, shown: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> list[Piece]:
    return [Piece(Region(0, 0, size_in.width, size_in.height), shown)]


OP = Op(
    RegionLimited,
    Within(pieces),
    examples=(
        RegionLimited(steps=(Invert(),), shape=("ellipse",), height=(0.7, 0.7), width=(0.6, 0.6)),
        RegionLimited(steps=(Grayscale(strength=(1, 1)),), shape=("objects",), side="outside"),
        RegionLimited(steps=(Invert(),), shape=("rectangle",), height=(0.5, 0.5), width=(0.5, 0.5)),
    ),
    aim=Aim(("shown",), aim),
)
