"""Framing: sizes and whole-pixel places of pictures on canvases, which crops, pads and scalings share."""

from __future__ import annotations

import math
from typing import Annotated

from kernels.matrices import moved_quad, product, rotation, scaling, translation
from kernels.op import Matrix
from kernels.params import Choice, Names
from kernels.tensors import MAX_PIXELS, MAX_SIDE, Size

POSITIONS = ("center", "top_left", "top_right", "bottom_left", "bottom_right")
Position = Annotated[Names, Choice(POSITIONS)]
"""Where a picture lies on a larger canvas, or a window in a larger picture."""


def place(fraction: float, free: int) -> int:
    """A whole place from 0 to `free`, each as likely as the others; from `free` to 0 where that is below 0."""
    at = min(math.floor(fraction * (abs(free) + 1)), abs(free))
    return at if free >= 0 else -at


def corner(position: str, size: Size, canvas: Size) -> tuple[int, int]:
    """Columns left of a picture and rows above it on a canvas, by the name of its position; below 0 on a smaller one."""
    across, down = canvas.width - size.width, canvas.height - size.height
    if position == "center":
        return across // 2, down // 2
    return across if position.endswith("right") else 0, down if position.startswith("bottom") else 0


def largest(width: float, height: float) -> float:
    """The factor by which a picture, or a box, is as large as a picture may be."""
    return min(MAX_SIDE / max(width, height), math.sqrt(MAX_PIXELS / (width * height)))


def scaled(size: Size, factor: float) -> Size:
    """Both sides times a factor, in whole pixels and at least 1, as far as a picture may be so large."""
    most = largest(size.width, size.height)
    whole, factor = (round, factor) if factor < most else (math.floor, most)
    return Size(max(whole(size.height * factor), 1), max(whole(size.width * factor), 1))


def fitting(size: Size, canvas: Size) -> float:
    """The factor by which a picture just fits into a canvas."""
    return min(canvas.height / size.height, canvas.width / size.width)


def turned_extent(degrees: float, size: Size) -> tuple[float, float]:
    """Width and height of the upright box around a turned picture."""
    height, width = size
    corners = moved_quad(rotation(degrees), ((0, 0), (width, 0), (width, height), (0, height)))
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return max(xs) - min(xs), max(ys) - min(ys)


def turned_about_centres(degrees: float, size: Size, canvas: Size, factor: float = 1.0) -> Matrix:
    """A turn, and a scaling, that takes the middle of a picture to the middle of a canvas."""
    middle = translation(canvas.width / 2, canvas.height / 2)
    return product(middle, scaling(factor, factor), rotation(degrees), translation(-size.width / 2, -size.height / 2))
