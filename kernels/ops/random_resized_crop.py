"""random_resized_crop: a random part of the picture, stretched to one size."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Params, Range, SizeField, Uniform, size_of
from kernels.tensors import Size


class RandomResizedCrop(Params):
    """Cut out a window of random area, shape and place, and stretch it to a size; smoothed where it shrinks.

    A window that would not fit is shrunk, its shape kept, until it does; nothing is drawn again.
    """

    op: Literal["random_resized_crop"] = "random_resized_crop"
    size: SizeField = (224, 224)
    """Size of the result, [height, width] in pixels."""
    scale: Annotated[Range, Uniform(0.0001, 1, unit="fraction of the area")] = (0.08, 1.0)
    """Area of the window."""
    ratio: Annotated[Range, Uniform(0.1, 10, unit="width / height")] = (0.75, 1.3333)
    """Shape of the window."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Place of the window from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Place of the window from top (0) to bottom (1)."""


def matrix(size_in: Size, size: tuple[int, int], scale: float, ratio: float, x: float, y: float) -> Matrix:
    area = scale * size_in.pixels
    width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
    fits = min(1.0, size_in.width / width, size_in.height / height)
    width, height = width * fits, height * fits
    return window(x * (size_in.width - width), y * (size_in.height - height), width, height, size_of(size))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    RandomResizedCrop,
    Places(matrix, canvas),
    examples=(
        RandomResizedCrop(scale=(0.2, 0.2), ratio=(1, 1), x=(0.4, 0.4), y=(0.2, 0.2)),
        RandomResizedCrop(size=(160, 240), scale=(0.3, 0.9)),
    ),
)
