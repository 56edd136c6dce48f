"""superpixels: patches of one colour that follow the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.segments import averaged, superpixels
from kernels.tables import levels
from kernels.words import NoiseSeed

_LONGEST = 256
"""Longest side, in pixels, at which patches are found; of larger pictures every second, third, ... pixel is looked at"""


class Superpixels(Params):
    """Divide the picture into patches of nearly one colour, and give some of them their mean colour.

    A patch is found by five rounds of SLIC, as `kernels.segments` says; pictures longer than 256 pixels are divided on a
    coarser grid of pixels.
    """

    op: Literal["superpixels"] = "superpixels"
    segments: Annotated[IntegerRange, Integer(2, 1000, unit="patches")] = (60, 200)
    """About how many patches there are."""
    replace: Annotated[Range, Uniform(0, 1, unit="share of the patches")] = (0.3, 1.0)
    """Probability of each patch to be given one colour."""


def replaced(image: torch.Tensor, seed: NoiseSeed, segments: int, replace: float) -> torch.Tensor:
    pixels = levels(image[0]).permute(1, 2, 0).contiguous().cpu().numpy()
    stride = -(-max(pixels.shape) // _LONGEST)
    small = superpixels(np.ascontiguousarray(pixels[::stride, ::stride]), segments)
    owner = small.repeat(stride, 0).repeat(stride, 1)[: pixels.shape[0], : pixels.shape[1]]
    return averaged(pixels, owner, replace, seed).to(image.device)


OP = Op(
    Superpixels,
    Whole(replaced),
    examples=(
        Superpixels(segments=(120, 120), replace=(1.0, 1.0)),
        Superpixels(segments=(40, 40), replace=(0.5, 0.5)),
    ),
)
