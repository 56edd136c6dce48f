"""pixel_jitter: pixels change places with their neighbours."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels import words
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params


class PixelJitter(Params):
    """Show in place of each pixel one of those around it, chosen at random; labels stay, as nothing moves further.

    DALI's `jitter`, whose `nDegree` is twice the reach.
    """

    op: Literal["pixel_jitter"] = "pixel_jitter"
    reach: Annotated[IntegerRange, Integer(1, 16, unit="pixels")] = (1, 3)
    """How far away the other pixel is at most, along each axis; outside the picture are its edge pixels."""


def pixel_jitter(image: torch.Tensor, seed: tuple[int, int], reach: int) -> torch.Tensor:
    height, width = image.shape[2:]
    place = torch.arange(height * width, device=image.device).view(height, width)

    def moved(along: torch.Tensor, channel: int, side: int) -> torch.Tensor:
        step = (torch.as_tensor(words.TORCH["uniform"](place, seed, channel)) * (2 * reach + 1)).floor_().to(torch.int64)
        return (along + step - reach).clamp_(0, side - 1)

    rows = moved(torch.arange(height, device=image.device)[:, None], 0, height)
    columns = moved(torch.arange(width, device=image.device)[None, :], 1, width)
    return image[:, :, rows, columns]


OP = Op(PixelJitter, Whole(pixel_jitter), examples=(PixelJitter(reach=(4, 4)), PixelJitter(reach=(1, 1))))
