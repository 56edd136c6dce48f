"""equalize: every level of a channel as frequent as any other."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Whole
from kernels.params import Choice, Names, Params

_LEVELS = 256


class Equalize(Params):
    """Equalise the histogram of each channel: its 256 levels become as evenly frequent as they can.

    The result has whole levels, those of Pillow's `ImageOps.equalize`.
    """

    op: Literal["equalize"] = "equalize"
    of: Annotated[Names, Choice(("channels",))] = ("channels",)
    """Each channel by a table of its own."""


def table(counts: list[int]) -> list[int]:
    """What each level becomes. counts: how often each is there."""
    found = [count for count in counts if count]
    step = (sum(found) - found[-1]) // (_LEVELS - 1)
    if step == 0:
        return list(range(_LEVELS))
    levels, below = [], step // 2
    for count in counts:
        levels.append(min(below // step, _LEVELS - 1))
        below += count
    return levels


def equalize(image: torch.Tensor, of: str) -> torch.Tensor:
    # a hair above the half: values in the middle of two levels are frequent after other steps, and must not be torn apart
    # by the last bit, since a level more or less may become many
    levels = (image * 255.0 + 0.501).floor().to(torch.int64)[0].flatten(1)
    planes = []
    for plane in levels:
        counts: list[int] = torch.bincount(plane, minlength=_LEVELS).tolist()
        planes.append(torch.tensor(table(counts), dtype=torch.float32, device=image.device)[plane])
    return torch.stack(planes).view(image.shape) / 255.0


OP = Op(Equalize, Whole(equalize), examples=(Equalize(),))
