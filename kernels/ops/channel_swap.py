"""channel_swap: exchange two channels."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Choice, Names, Params
from kernels.words import Value, where


class ChannelSwap(Params):
    """Exchange two of the channels red, green and blue; one exchanged with itself leaves the picture."""

    op: Literal["channel_swap"] = "channel_swap"
    first: Annotated[Names, Choice(("r", "g", "b"))] = ("r", "g")
    """One of the two."""
    second: Annotated[Names, Choice(("r", "g", "b"))] = ("b",)
    """The other one."""


def channel_swap(r: Value, g: Value, b: Value, first: int, second: int) -> tuple[Value, Value, Value]:
    one = where(first == 0, r, where(first == 1, g, b))
    other = where(second == 0, r, where(second == 1, g, b))
    return (
        where(first == 0, other, where(second == 0, one, r)),
        where(first == 1, other, where(second == 1, one, g)),
        where(first == 2, other, where(second == 2, one, b)),
    )


OP = Op(
    ChannelSwap,
    Pixels(channel_swap),
    examples=(ChannelSwap(first=("r",), second=("b",)), ChannelSwap(first=("g",), second=("r",))),
)
