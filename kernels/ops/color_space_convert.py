"""color_space_convert: the numbers of another colour space, shown as if they were red, green and blue."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from kornia.color import rgb_to_xyz

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
_DARK = 0.008856
"""Where the cube root of Lab turns into a straight line."""


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
        return _lab(image)

    def converted(pixels: Grid) -> Grid:
        numbers = np.asarray(cv2.cvtColor(pixels, _CODES[space]), dtype=np.float32)
        if space in ("hsv", "hls"):
            return numbers * np.array([1.0 / 360.0, 1.0, 1.0], dtype=np.float32)
        return numbers

    return by_opencv(image, converted)


def _lab(image: torch.Tensor) -> torch.Tensor:
    """Kornia's `rgb_to_lab`, operation for operation, in half of the memory; then brought to 0..1."""
    curved = image.add(0.055).div_(1.055).pow_(2.4)
    linear = torch.where(image > 0.04045, curved, image / 12.92, out=curved)
    # D65 white is 1
    xyz = rgb_to_xyz(linear).div_(_of_channels(image, 0.95047, 1.0, 1.08883))
    root = torch.clamp(xyz, min=_DARK, out=linear).pow_(1.0 / 3.0)
    torch.where(xyz > _DARK, root, xyz.mul(7.787).add_(4.0 / 29.0), out=root)
    x, y, z = root[0]
    torch.mul(y, 116.0, out=xyz[0, 0]).sub_(16.0)
    torch.sub(x, y, out=xyz[0, 1]).mul_(500.0)
    torch.sub(y, z, out=xyz[0, 2]).mul_(200.0)
    return xyz.add_(_of_channels(image, 0.0, 128.0, 128.0)).div_(_of_channels(image, 100.0, 255.0, 255.0))


def _of_channels(image: torch.Tensor, *numbers: float) -> torch.Tensor:
    return image.new_tensor(numbers).view(1, 3, 1, 1)


OP = Op(
    ColorSpaceConvert,
    Stencil(color_space_convert),
    examples=tuple(ColorSpaceConvert(space=(space,)) for space in ("lab", "hsv", "hls", "yuv", "ycrcb", "xyz")),
)
