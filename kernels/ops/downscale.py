"""downscale: as if the picture had been smaller."""

from __future__ import annotations

from typing import Annotated, Literal

import cv2
import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.planes import Grid, by_opencv
from kernels.tensors import Size


class Downscale(Params):
    """Shrink the picture and enlarge it again to the size it had."""

    op: Literal["downscale"] = "downscale"
    factor: Annotated[Range, Uniform(0.01, 1, unit="times")] = (0.25, 0.75)
    """Sides of the small picture, rounded to whole pixels, at least one."""
    down: Annotated[Names, Choice(("nearest", "area"))] = ("nearest", "area")
    """How it is shrunk: a pixel stands for those around it, or their mean does."""
    up: Annotated[Names, Choice(("nearest", "linear", "cubic"))] = ("nearest", "linear", "cubic")
    """How it is enlarged."""


_WAYS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


def downscale(image: torch.Tensor, factor: float, down: str, up: str) -> torch.Tensor:
    large = Size(*image.shape[-2:])
    small = Size(*(max(round(factor * side), 1) for side in large))
    return by_opencv(image, lambda pixels: resized(resized(pixels, small, down), large, up))


def resized(pixels: Grid, size: Size, way: str) -> Grid:
    if way != "nearest":
        return np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=_WAYS[way]))
    # by whole numbers: where a place lies between two pixels, OpenCV's way out depends on the picture's width
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, pixels.shape, strict=False))
    return np.asarray(pixels[rows][:, columns])


OP = Op(
    Downscale,
    Stencil(downscale),
    examples=(
        Downscale(factor=(0.15, 0.15), down=("area",), up=("linear",)),
        Downscale(factor=(0.3, 0.3), down=("nearest",), up=("nearest",)),
        Downscale(factor=(0.4, 0.4), down=("area",), up=("cubic",)),
    ),
)
