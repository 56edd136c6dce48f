"""convolve: a kernel of the caller's."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, field_validator

from kernels.op import Op, Stencil
from kernels.params import Params, rows
from kernels.stencils import filtered

_MOST = 31
Weight = Annotated[float, Field(ge=-1000, le=1000, strict=True)]
Row = Annotated[tuple[Weight, ...], Field(min_length=1, max_length=_MOST)]


class Convolve(Params):
    """Replace every value by a sum of its neighbours times the weights of a kernel, channel by channel.

    The kernel is laid on the picture as it is written, not mirrored, as OpenCV, Kornia and DALI do. Its weights are taken
    as they are: the picture keeps its brightness if they add up to 1. Outside the picture is its mirror image.
    """

    op: Literal["convolve"] = "convolve"
    kernel: Annotated[tuple[Row, ...], Field(min_length=1, max_length=_MOST), rows(_MOST, _MOST)]
    """Rows of weights, -1000 to 1000: an odd number of rows, all of the same odd length, at most 31."""

    @field_validator("kernel")
    @classmethod
    def _is_odd(cls, kernel: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if len(kernel) % 2 == 0 or len(kernel[0]) % 2 == 0 or len({len(row) for row in kernel}) > 1:
            raise ValueError("must have an odd number of rows, all of the same odd length")
        return kernel


def convolve(image: torch.Tensor, kernel: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    return filtered(image, np.array(kernel, dtype=np.float32))


OP = Op(
    Convolve,
    Stencil(convolve),
    examples=(
        Convolve(kernel=((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))),
        Convolve(kernel=((0.1, 0.1, 0.1, 0.2, 0.5),)),
    ),
)
