"""pixelate: large pixels."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch.nn.functional import avg_pool2d

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params


class Pixelate(Params):
    """Replace the pixels of each square by their mean; squares at the right and lower edge may be cut off."""

    op: Literal["pixelate"] = "pixelate"
    size: Annotated[IntegerRange, Integer(1, 256, unit="pixels")] = (3, 10)
    """Side of the squares."""


def pixelate(image: torch.Tensor, size: int) -> torch.Tensor:
    means = avg_pool2d(image, size, ceil_mode=True, count_include_pad=False)
    large = means.repeat_interleave(size, -2).repeat_interleave(size, -1)
    return large[..., : image.shape[-2], : image.shape[-1]]


OP = Op(Pixelate, Stencil(pixelate), examples=(Pixelate(size=(10, 10)), Pixelate(size=(4, 4))))
