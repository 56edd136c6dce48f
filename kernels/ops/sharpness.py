"""sharpness: sharper, or softer."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import filtered

_SOFT = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / np.float32(13.0)


class Sharpness(Params):
    """Move every value away from that of a softened picture, or towards it. The outermost pixels stay.

    The softened picture is that of Pillow's ImageEnhance.Sharpness, Kornia and torchvision, unrounded.
    """

    op: Literal["sharpness"] = "sharpness"
    factor: Annotated[Range, Uniform(0, 20, unit="times")] = (0.0, 3.0)
    """What the distance to the softened picture is multiplied by: 0 softens, 1 leaves it, 2 sharpens."""


def sharpness(image: torch.Tensor, factor: float) -> torch.Tensor:
    soft = filtered(image, _SOFT)
    result = image.clone()
    inner = (..., slice(1, -1), slice(1, -1))
    result[inner] = soft[inner] + factor * (image[inner] - soft[inner])
    return result


OP = Op(Sharpness, Stencil(sharpness), examples=(Sharpness(factor=(8.0, 8.0)), Sharpness(factor=(4.0, 4.0))))
