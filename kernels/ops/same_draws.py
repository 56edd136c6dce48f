"""same_draws: the same numbers for all pictures of a sequence."""

from __future__ import annotations

import re
from typing import Literal

from kernels.op import Container, Op
from kernels.ops.brightness import Brightness
from kernels.ops.rotate import Rotate
from kernels.ops.sequence import bounds, draws, taken
from kernels.params import Group

_NUMBERED = re.compile(r"[-_. ]*[0-9]+$")
_EXTENSION = re.compile(r"\.[^./]*$")


class SameDraws(Group):
    """Carry out the steps inside, in order, with the same draws for all pictures of a sequence: frames, views, slices.

    Which sequence a picture is of is read from its name alone, so it matters neither what else is sent nor when. Chances,
    noise and partners of the steps inside are the same too; where sizes differ, fractions are the same and pixels are not.
    """

    op: Literal["same_draws"] = "same_draws"
    by: Literal["folder", "prefix", "all"] = "folder"
    """What pictures of one sequence share: the folder of their names (`clip/0001.jpg`), their names but for a number at
    the end (`clip_0001.jpg`), or nothing: all pictures are one sequence."""


def sequence(params: SameDraws, name: str) -> str:
    """The name of the sequence that a picture of this name is of; never that of a picture in a folder."""
    match params.by:
        case "folder":
            return name.rpartition("/")[0] + "/"
        case "prefix":
            return _NUMBERED.sub("", _EXTENSION.sub("", name)) + "*"
        case _:
            return "*"


OP = Op(
    SameDraws,
    Container(draws, taken, bounds, sequence),
    examples=(SameDraws(steps=(Rotate(degrees=(15, 30)), Brightness(factor=(0.6, 1.4)))),),
)
