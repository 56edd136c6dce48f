"""color_space_convert: the numbers of another colour space, shown as if they were red, green and blue."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from kornia.color import rgb_to_lab

from kernels.op import Op, Stencil
from kernels.params import Choice, Names, Params
from kernels.planes import Grid, by_opencv

_CODES = {
    "hsv": cv2.COLOR_RGB2HSV,
    "hls": cv2.COLOR_RGB2HLS,
    "yuv": cv2.COLOR_RGB2YUV,
    "ycrcb": cv2.COLOR_RGB2YCrCb,
    "xyz": cv2.COLOR_RGB2XYZ,
}


SPACES = ("lab", *_CODES)


class ColorSpaceConvert(Params):
    """Replace red, green and blue by the three numbers of another colour space, each brought to 0..1.

    Hue is a share of the colour circle; L of Lab a share of 100, a and b are 128 more, as shares of 255; colour differences
    are 0.5 more. XYZ is taken of the values as they are, not of linear light.
    """

    op: Literal["color_space_convert"] = "color_space_convert"
    space: Annotated[Names, Choice(SPACES)] = ("hsv", "lab", "ycrcb")
    """The colour space."""


def color_space_convert(image: torch.Tensor, space: str) -> torch.Tensor:
    if space == "lab":
        # OpenCV's comes from a table: a level beside the formula
        moved = rgb_to_lab(image).add_(image.new_tensor([0.0, 128.0, 128.0]).view(1, 3, 1, 1))
        return moved.div_(image.new_tensor([100.0, 255.0, 255.0]).view(1, 3, 1, 1))

    def converted(pixels: Grid) -> Grid:
        numbers = np.asarray(cv2.cvtColor(pixels, _CODES[space]), dtype=np.float32)
        if space in ("hsv", "hls"):
            return numbers * np.array([1.0 / 360.0, 1.0, 1.0], dtype=np.float32)
        return numbers

    return by_opencv(image, converted)


OP = Op(
    ColorSpaceConvert,
    Stencil(color_space_convert),
    examples=tuple(ColorSpaceConvert(space=(space,)) for space in ("lab", "hsv", "hls", "yuv", "ycrcb", "xyz")),
)
