"""mean_shift_blur: patches of even colour."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.planes import by_opencv


class MeanShiftBlur(Params):
    """Move every pixel, in place and colour together, to the middle of those like it, and show the colour it arrives at.

    Comaniciu and Meer, "Mean Shift: A Robust Approach Toward Feature Space Analysis", 2002, by OpenCV on 8-bit levels, in
    at most three moves. imgaug reaches farther; its cost grows with the square of the reach.
    """

    op: Literal["mean_shift_blur"] = "mean_shift_blur"
    reach: Annotated[IntegerRange, Integer(1, 5, unit="pixels")] = (2, 5)
    """How far along each side pixels may be to count."""
    color: Annotated[Range, Uniform(0.01, 1, unit="fraction of full brightness")] = (0.05, 0.15)
    """How far their colours may be."""


_MOVES = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 3, 1.0)


def mean_shift_blur(image: torch.Tensor, reach: int, color: float) -> torch.Tensor:
    def shifted(pixels: np.ndarray) -> np.ndarray:
        levels = np.rint(pixels * 255.0).astype(np.uint8)
        return cv2.pyrMeanShiftFiltering(levels, reach, 255.0 * color, maxLevel=0, termcrit=_MOVES) / np.float32(255.0)

    return by_opencv(image, shifted)


OP = Op(
    MeanShiftBlur,
    Stencil(mean_shift_blur),
    examples=(
        MeanShiftBlur(reach=(5, 5), color=(0.2, 0.2)),
        MeanShiftBlur(reach=(2, 2), color=(0.1, 0.1)),
    ),
)
