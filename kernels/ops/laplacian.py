"""laplacian: fine edges, however they lie."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import filtered

_KERNEL = np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]], dtype=np.float32) / np.float32(16.0)


class Laplacian(Params):
    """Replace every value by how far it is from its 8 neighbours' mean, channel by channel.

    Half that distance at gain 1: the sum of the kernel's weights without their signs is 1. Outside the picture is its
    mirror image.
    """

    op: Literal["laplacian"] = "laplacian"
    gain: Annotated[Range, Uniform(0, 32, unit="times")] = (2.0, 6.0)
    """What the distance is multiplied by."""


def laplacian(image: torch.Tensor, gain: float) -> torch.Tensor:
    return filtered(image, _KERNEL).abs_() * gain


OP = Op(Laplacian, Stencil(laplacian), examples=(Laplacian(gain=(11.3, 11.3)), Laplacian(gain=(3.7, 3.7))))
