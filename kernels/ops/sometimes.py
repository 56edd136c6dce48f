"""sometimes: steps that only some pictures get, all or none."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.op import Container, Op
from kernels.ops.grayscale import Grayscale
from kernels.ops.sequence import bounds, draws, taken
from kernels.ops.vflip import Vflip
from kernels.params import Group


class Sometimes(Group):
    """Carry out all steps inside, in order, on a share of the pictures (`chance`), and none of them on the others."""

    op: Literal["sometimes"] = "sometimes"
    chance: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.5
    """Share of the pictures that the steps are applied to, all of them together."""


OP = Op(
    Sometimes,
    Container(draws, taken, bounds),
    examples=(Sometimes(steps=(Grayscale(strength=(1, 1)), Vflip()), chance=0.9),),
)
