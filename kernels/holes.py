"""Holes: rectangles of bytes painted in one colour, where their pixels need no arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kernels.op import LevelForm
from kernels.words import Value, bind

Hole = Callable[..., tuple[Value, Value, Value, Value]]
"""hole(width and height of the picture, fields by name) -> left, top, right, bottom, in words: whole columns and rows."""
_NUMBERS: dict[str, Callable[..., float]] = {
    "floor": np.floor,
    "minimum": min,
    "maximum": max,
    "rint": np.rint,
    "sqrt": np.sqrt,
}
"""Words on single float32 numbers."""


def painted(hole: Hole, color: tuple[float, ...], **fields: float) -> LevelForm:
    """The form that paints a hole with `color`, 0..1, rounded as every result is."""
    numbers = {name: np.float32(value) for name, value in fields.items()}
    levels = np.rint(np.array(color, np.float32) * np.float32(255.0)).astype(np.uint8)

    def paint(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width, _ = pixels.shape
        left, top, right, bottom = (int(end) for end in _bound(hole)(np.float32(width), np.float32(height), **numbers))
        result = pixels.copy()
        # a line of the colour: copied as one piece, where a colour would go pixel by pixel
        result.reshape(height, -1)[top:bottom, 3 * left : 3 * right] = np.tile(levels, right - left)
        return result

    return paint


@cache
def _bound(hole: Hole) -> Hole:
    return bind(hole, _NUMBERS)  # type: ignore[return-value]  # of four numbers, not three channels
