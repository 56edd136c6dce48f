"""channel_subset: steps on some of the channels."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kernels.op import Op, Piece, Region, Within
from kernels.ops.invert import Invert
from kernels.ops.posterize import Posterize
from kernels.params import Group, listed
from kernels.tensors import Size

CHANNELS = ("red", "green", "blue")
Channels = Annotated[tuple[Literal["red", "green", "blue"], ...], Field(min_length=1, max_length=3), listed(3)]


class ChannelSubset(Group):
    """Carry out the steps inside, in order, and take what they make of some channels; the others stay as they are.

    The steps see the whole picture, so those that look at several channels at once have them all. They may not move pixels.
    """

    op: Literal["channel_subset"] = "channel_subset"
    channels: Channels = ("red",)
    """The channels that are taken: red, green, blue."""


def pieces(size_in: Size, channels: tuple[str, ...]) -> list[Piece]:
    share = np.array([[[name in channels]] for name in CHANNELS], dtype=np.float32)
    return [Piece(Region(0, 0, size_in.width, size_in.height), share)]


OP = Op(
    ChannelSubset,
    Within(pieces),
    examples=(
        ChannelSubset(steps=(Invert(),), channels=("green",)),
        ChannelSubset(steps=(Invert(), Posterize(bits=(2, 3))), channels=("red", "blue")),
    ),
)
