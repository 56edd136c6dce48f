"""canny: thin white edges."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.tables import grey_levels


class Canny(Params):
    """Replace the picture by its edges, one pixel wide, white on black.

    Canny, "A Computational Approach to Edge Detection", 1986, by OpenCV on the grey levels: an edge begins where the
    gradient is above the higher threshold, and goes on while it is above the lower one.
    """

    op: Literal["canny"] = "canny"
    low: Annotated[Range, Uniform(0, 1, unit="fraction of the steepest edge")] = (0.05, 0.15)
    """Where edges end, as a share of the Sobel gradient between black and white; if above `high`, the two change places."""
    high: Annotated[Range, Uniform(0, 1, unit="fraction of the steepest edge")] = (0.15, 0.35)
    """Where edges begin."""


_STEEPEST = 4 * 255


def canny(image: torch.Tensor, low: float, high: float) -> torch.Tensor:
    found = cv2.Canny(grey_levels(image[0]).cpu().numpy(), low * _STEEPEST, high * _STEEPEST)
    return (torch.from_numpy(found).to(image.device, torch.float32) / 255.0).expand(1, 3, -1, -1)


OP = Op(Canny, Stencil(canny), examples=(Canny(low=(0.1, 0.1), high=(0.2, 0.2)), Canny(low=(0.2, 0.2), high=(0.5, 0.5))))
