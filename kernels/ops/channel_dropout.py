"""channel_dropout: one channel is lost."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.words import Value, where


class ChannelDropout(Params):
    """Replace one channel by a constant."""

    op: Literal["channel_dropout"] = "channel_dropout"
    channel: Annotated[Names, Choice(("r", "g", "b"))] = ("r", "g", "b")
    """The channel that is lost: red, green or blue."""
    level: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.0, 0.0)
    """What it is replaced by."""


def channel_dropout(r: Value, g: Value, b: Value, channel: int, level: float) -> tuple[Value, Value, Value]:
    return where(channel == 0, level, r), where(channel == 1, level, g), where(channel == 2, level, b)


OP = Op(
    ChannelDropout,
    Pixels(channel_dropout),
    examples=(ChannelDropout(channel=("r",)), ChannelDropout(channel=("b",), level=(0.5, 0.5))),
)
