"""clahe: more contrast everywhere, by what is around."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import torch

from kernels.colors import luma
from kernels.op import Op, Stencil
from kernels.params import Choice, Integer, IntegerRange, Names, Params, Range, Uniform
from kernels.tables import grey_levels, levels


class Clahe(Params):
    """Equalize tile by tile, the counts of levels limited, and blend between the tiles' tables.

    Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, 1994, as OpenCV computes it: on 8-bit
    levels, the picture mirrored at its right and lower edge until the tiles fit.
    """

    op: Literal["clahe"] = "clahe"
    clip: Annotated[Range, Uniform(1, 40, unit="times the mean count")] = (1.0, 4.0)
    """How often a level may count at most; what is above is given to all levels. The larger, the stronger the effect."""
    grid: Annotated[IntegerRange, Integer(1, 32, unit="tiles along each side")] = (8, 8)
    """How many tiles there are."""
    of: Annotated[Names, Choice(("grey", "channels"))] = ("grey",)
    """The grey picture, whose change is added to all channels: colours stay; or each channel on its own."""


def clahe(image: torch.Tensor, clip: float, grid: int, of: str) -> torch.Tensor:
    tiles = cv2.createCLAHE(float(clip), (grid, grid))

    def equalized(plane: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(tiles.apply(plane.cpu().numpy())).to(image.device, torch.float32) / 255.0

    if of == "channels":
        return torch.stack([equalized(plane) for plane in levels(image[0])])[None]
    return image + (equalized(grey_levels(image[0])) - luma(image[0, 0], image[0, 1], image[0, 2]))


OP = Op(Clahe, Stencil(clahe), examples=(Clahe(clip=(4.0, 4.0)), Clahe(clip=(3.0, 3.0), grid=(4, 4), of=("channels",))))
