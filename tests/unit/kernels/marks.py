"""Pictures in which an effect is plain to see."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tests.helpers.pictures import make_photo
from tests.unit.kernels.test_pixel_ops import flat


def point(side: int = 41) -> torch.Tensor:
    """One white pixel in the middle of black."""
    pixels = flat(side, side, 0)
    pixels[side // 2, side // 2] = 255
    return pixels


def halves(height: int = 24, width: int = 40, dark: int = 60, bright: int = 180) -> torch.Tensor:
    """Dark on the left, bright on the right."""
    pixels = flat(height, width, dark)
    pixels[:, width // 2 :] = bright
    return pixels


def squares(side: int = 40) -> torch.Tensor:
    """A bright square of 16 on mid-grey, a bright speck above it and a dark one in it."""
    pixels = flat(side, side, 100)
    pixels[12:28, 12:28] = 200
    pixels[4, 20], pixels[20, 20] = 255, 0
    return pixels


def photo() -> torch.Tensor:
    return torch.from_numpy(make_photo("astronaut", 120, 160))


def colours(pixels: NDArray[np.int64] | torch.Tensor) -> int:
    return len(np.unique(np.asarray(pixels).reshape(-1, 3), axis=0))
