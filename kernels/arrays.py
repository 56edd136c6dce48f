"""Arrays: an image of torch, (1, 3, H, W) float32 0..1, as numpy, OpenCV and codecs take it, and back to where it was."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
"""(H, W, 3), contiguous."""
Plane = NDArray[np.float32]
"""(H, W)."""


def levels_of(image: torch.Tensor) -> Levels:
    """The image rounded to 8 bits."""
    rounded = (image[0].permute(1, 2, 0) * 255.0).round_().clamp_(0.0, 255.0).to(torch.uint8)
    return np.ascontiguousarray(rounded.cpu().numpy())


def image_of(levels: Levels, like: torch.Tensor) -> torch.Tensor:
    """8-bit pixels as an image on the device of `like`."""
    planes = torch.from_numpy(levels).to(like.device).permute(2, 0, 1).to(torch.float32)
    return planes.contiguous().div_(255.0)[None]


def veiled(image: torch.Tensor, opacity: Plane, color: tuple[float, float, float]) -> torch.Tensor:
    """The image under a veil of one colour. opacity: 0..1 of each pixel."""
    share = torch.from_numpy(opacity).to(image.device)
    shown = image.new_tensor(color)[None, :, None, None]
    return image + (shown - image) * share
