"""defocus_blur: a lens that is out of focus."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.point_spreads import disk
from kernels.stencils import filtered


class DefocusBlur(Params):
    """Spread every point over a disk, as an open lens does: lights become discs.

    Outside the picture is its mirror image.
    """

    op: Literal["defocus_blur"] = "defocus_blur"
    radius: Annotated[Range, Uniform(0, 64, unit="pixels")] = (2.0, 8.0)
    """Radius of the disk; the picture stays as it is below half a pixel, less half the softness."""
    softness: Annotated[Range, Uniform(0.5, 16, unit="pixels")] = (1.0, 2.0)
    """Width of the disk's edge."""


def defocus_blur(image: torch.Tensor, radius: float, softness: float) -> torch.Tensor:
    return filtered(image, disk(radius, softness))


OP = Op(
    DefocusBlur,
    Stencil(defocus_blur),
    examples=(
        DefocusBlur(radius=(7.0, 7.0), softness=(1.0, 1.0)),
        DefocusBlur(radius=(3.0, 3.0), softness=(2.0, 2.0)),
    ),
)
