"""Sizes and pictures: the one place that says what shapes and ranges flow between the parts of `kernels`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from kernels.labels import Labels

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


@dataclass(frozen=True)
class Picture:
    """One decoded picture with its labels; checked once, here, and trusted from then on."""

    pixels: torch.Tensor
    """(height, width, 3) uint8 red, green, blue; a fourth channel is alpha, kept, which only geometry moves."""
    labels: Labels | None = None

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != torch.uint8 or len(shape) != 3 or shape[2] not in (3, 4) or 0 in shape:
            raise ValueError(f"a picture is (height, width, 3 or 4) uint8 pixels, not {tuple(shape)} {self.pixels.dtype}")

    @cached_property
    def size(self) -> Size:
        height, width, _ = self.pixels.shape
        return Size(height, width)
