"""Sizes and pictures: the one place that says what shapes and ranges flow between the parts of `kernels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

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


class Picture:
    """One decoded picture with its labels; checked once, here, and trusted from then on.

    It is an array or a tensor, as it was given, and the other one, in the same memory, when it is asked for: torch costs
    tens of microseconds where decoding has just emptied the processor's caches.
    """

    __slots__ = ("_levels", "_pixels", "labels", "size")

    def __init__(self, pixels: torch.Tensor | NDArray[np.uint8], labels: Labels | None = None) -> None:
        """pixels: (height, width, 3) uint8 red, green, blue; a fourth channel is alpha, kept, which only geometry moves."""
        self._levels: NDArray[np.uint8] | None = None
        self._pixels: torch.Tensor | None = None
        if isinstance(pixels, np.ndarray):
            self._levels = pixels
        else:
            self._pixels = pixels
        shape = pixels.shape
        is_of_bytes = pixels.dtype == (np.uint8 if self._pixels is None else torch.uint8)
        if not is_of_bytes or len(shape) != 3 or shape[2] not in (3, 4) or 0 in shape:
            raise ValueError(f"a picture is (height, width, 3 or 4) uint8 pixels, not {tuple(shape)} {pixels.dtype}")
        self.labels, self.size = labels, Size(shape[0], shape[1])

    @property
    def pixels(self) -> torch.Tensor:
        """(height, width, 3 or 4) uint8."""
        if self._pixels is None:
            assert self._levels is not None
            self._pixels = torch.from_numpy(self._levels)
        return self._pixels

    @property
    def levels(self) -> NDArray[np.uint8]:
        """The same as an array. TypeError where they are not in the computer's own memory."""
        if self._levels is None:
            assert self._pixels is not None
            self._levels = self._pixels.numpy()
        return self._levels
