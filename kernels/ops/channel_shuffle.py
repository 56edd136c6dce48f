"""channel_shuffle: the channels in another order."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Choice, Names, Params
from kernels.words import Value, where

ORDERS = ("rgb", "rbg", "grb", "gbr", "brg", "bgr")


class ChannelShuffle(Params):
    """Put the channels in another order."""

    op: Literal["channel_shuffle"] = "channel_shuffle"
    order: Annotated[Names, Choice(ORDERS)] = ORDERS
    """Where the new red, green and blue come from: rgb leaves the picture, bgr swaps red and blue."""


def channel_shuffle(r: Value, g: Value, b: Value, order: int) -> tuple[Value, Value, Value]:
    return (
        where(order < 2, r, where(order < 4, g, b)),
        where((order == 0) | (order == 5), g, where((order == 1) | (order == 3), b, r)),
        where((order == 0) | (order == 2), b, where((order == 1) | (order == 4), g, r)),
    )


OP = Op(
    ChannelShuffle,
    Pixels(channel_shuffle),
    examples=(ChannelShuffle(order=("gbr",)), ChannelShuffle(order=("bgr",))),
)
