"""ringing_overshoot: waves beside every edge, as after too sharp a low pass."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.point_spreads import sinc
from kernels.stencils import filtered


class RingingOvershoot(Params):
    """Take all frequencies above a limit away at once: edges ring. Outside the picture is its mirror image.

    Wang et al., "Real-ESRGAN", 2021.
    """

    op: Literal["ringing_overshoot"] = "ringing_overshoot"
    size: Annotated[IntegerRange, Integer(3, 63, unit="pixels")] = (7, 15)
    """Side of the window that the filter is cut off at; an even one is taken one pixel larger."""
    cutoff: Annotated[Range, Uniform(0.1, 3.14159, unit="radians a pixel")] = (0.785398, 1.570796)
    """The limit: pi is the finest pattern that pixels can show."""


def ringing_overshoot(image: torch.Tensor, size: int, cutoff: float) -> torch.Tensor:
    return filtered(image, sinc(size + 1 - size % 2, cutoff))


OP = Op(
    RingingOvershoot,
    Stencil(ringing_overshoot),
    examples=(
        RingingOvershoot(size=(31, 31), cutoff=(0.6, 0.6)),
        RingingOvershoot(size=(9, 9), cutoff=(1.2, 1.2)),
    ),
)
