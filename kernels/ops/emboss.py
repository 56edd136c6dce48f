"""emboss: as if pressed into paper."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import filtered


class Emboss(Params):
    """Mix the picture with itself lit from the lower right: edges get a bright and a dark side.

    Outside the picture is its mirror image.
    """

    op: Literal["emboss"] = "emboss"
    alpha: Annotated[Range, Uniform(0, 1, unit="share of the filtered picture")] = (0.2, 0.5)
    """Its share in the mixture."""
    strength: Annotated[Range, Uniform(0, 4, unit="times")] = (0.2, 0.7)
    """How much deeper than plain the relief is."""


def emboss(image: torch.Tensor, alpha: float, strength: float) -> torch.Tensor:
    deep = 1.0 + strength
    kernel = np.array([[-deep, -strength, 0.0], [-strength, 1.0, strength], [0.0, strength, deep]])
    return filtered(image, ((1.0 - alpha) * _SAME + alpha * kernel).astype(np.float32))


_SAME = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])

OP = Op(
    Emboss,
    Stencil(emboss),
    examples=(
        Emboss(alpha=(0.9, 0.9), strength=(1.0, 1.0)),
        Emboss(alpha=(0.4, 0.4), strength=(0.5, 0.5)),
    ),
)
