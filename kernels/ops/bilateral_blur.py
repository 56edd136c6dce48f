"""bilateral_blur: smooth, but for edges."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.planes import Grid, by_opencv


class BilateralBlur(Params):
    """The mean of the pixels nearby, those of another colour counting less: noise goes, edges stay.

    Tomasi and Manduchi, "Bilateral Filtering for Gray and Color Images", 1998, by OpenCV: the window is round, and how far
    two colours are apart is the sum over their channels. Outside the picture is its mirror image.
    """

    op: Literal["bilateral_blur"] = "bilateral_blur"
    size: Annotated[IntegerRange, Integer(3, 25, unit="pixels")] = (5, 9)
    """Diameter of the window; an even one is taken one pixel larger."""
    sigma_color: Annotated[Range, Uniform(0.01, 3, unit="fraction of full brightness")] = (0.1, 0.4)
    """How far colours may be apart: the standard deviation of their Gaussian."""
    sigma_space: Annotated[Range, Uniform(0.1, 32, unit="pixels")] = (1.0, 3.0)
    """How far pixels may be apart."""


def bilateral_blur(image: torch.Tensor, size: int, sigma_color: float, sigma_space: float) -> torch.Tensor:
    odd = size + 1 - size % 2

    def smoothed(pixels: Grid) -> Grid:
        result = cv2.bilateralFilter(pixels, odd, sigma_color, sigma_space, borderType=cv2.BORDER_REFLECT)
        return np.asarray(result, dtype=np.float32)

    return by_opencv(image, smoothed)


OP = Op(
    BilateralBlur,
    Stencil(bilateral_blur),
    examples=(
        BilateralBlur(size=(15, 15), sigma_color=(0.4, 0.4), sigma_space=(4.0, 4.0)),
        BilateralBlur(size=(9, 9), sigma_color=(1.5, 1.5), sigma_space=(3.0, 3.0)),
    ),
)
