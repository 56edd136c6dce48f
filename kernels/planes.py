"""Planes as arrays: how libraries that know pictures by rows of pixels are called on (1, 3, H, W) images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

Grid = NDArray[np.float32]


def by_opencv(image: torch.Tensor, function: Callable[[Grid], Grid]) -> torch.Tensor:
    """function(pixels) -> pixels, both (H, W, 3) float32: on the CPU, whatever the image's device."""
    pixels = image[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return torch.from_numpy(np.asarray(function(pixels), dtype=np.float32)).permute(2, 0, 1)[None].to(image.device)
