"""Sizes and pictures: the one place that says what shapes and ranges flow between the parts of `kernels`."""

from __future__ import annotations

from typing import NamedTuple

MAX_SIDE = 16_384
"""Longest side, in pixels, of a picture on its way through a recipe."""
MAX_PIXELS = 50_000_000
"""Most pixels a picture may have on its way through a recipe."""


class Size(NamedTuple):
    """Height and width in pixels, in this order everywhere."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width
