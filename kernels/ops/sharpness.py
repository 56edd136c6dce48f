"""sharpness: crisper or softer."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform


class Sharpness(Params):
    """Move every pixel away from a softened picture, or towards it; the outermost pixels stay.

    Softened is a mean of 3 x 3 pixels in which the middle one counts five times, as in Pillow's `ImageEnhance.Sharpness`.
    """

    op: Literal["sharpness"] = "sharpness"
    factor: Annotated[Range, Uniform(0, 10, unit="times")] = (0.5, 2.0)
    """What the distance to the softened picture is multiplied by: 0 is soft, 1 leaves it."""


def sharpness(image: torch.Tensor, factor: float) -> torch.Tensor:
    height, width = image.shape[2:]
    result = image.clone()
    if height < 3 or width < 3:
        return result
    inside = image[..., 1:-1, 1:-1]
    total = inside * 4.0
    for down in range(3):
        for across in range(3):
            total = total + image[..., down : height - 2 + down, across : width - 2 + across]
    soft = total / 13.0
    result[..., 1:-1, 1:-1] = soft + factor * (inside - soft)
    return result


OP = Op(Sharpness, Stencil(sharpness), examples=(Sharpness(factor=(6.0, 6.0)), Sharpness(factor=(10.0, 10.0))))
