"""equalize: every level as frequent as every other."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.colors import luma
from kernels.op import LevelForm, Op, Stencil
from kernels.params import Choice, Names, Params
from kernels.tables import counted, equalized, equalizing, grey_levels, levels, looked_up


class Equalize(Params):
    """Give the 8-bit levels a table that spreads them as evenly as it can, in the order they have.

    The table is that of Pillow's ImageOps.equalize.
    """

    op: Literal["equalize"] = "equalize"
    of: Annotated[Names, Choice(("channels", "grey"))] = ("channels",)
    """Each channel by a table of its own, or the grey picture, whose change is added to all channels: colours stay."""


def equalize(image: torch.Tensor, of: str) -> torch.Tensor:
    if of == "channels":
        planes = levels(image[0])
        return torch.stack([looked_up(plane, equalizing(counted(plane))) for plane in planes])[None]
    grey = grey_levels(image[0])
    table = equalizing(counted(grey))
    return image + (looked_up(grey, table) - luma(image[0, 0], image[0, 1], image[0, 2]))


def of_levels(of: str) -> LevelForm | None:
    return equalized if of == "channels" else None


OP = Op(Equalize, Stencil(equalize, of_levels), examples=(Equalize(), Equalize(of=("grey",))))
