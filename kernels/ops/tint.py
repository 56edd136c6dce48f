"""tint: lean the picture towards one channel."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.words import Value, where


class Tint(Params):
    """Add to one channel and take the same from the other two."""

    op: Literal["tint"] = "tint"
    channel: Annotated[Names, Choice(("r", "g", "b"))] = ("r", "g", "b")
    """The channel that is added to: red, green or blue."""
    amount: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.05, 0.15)
    """How much."""


def tint(r: Value, g: Value, b: Value, channel: int, amount: float) -> tuple[Value, Value, Value]:
    return (
        r + where(channel == 0, amount, -amount),
        g + where(channel == 1, amount, -amount),
        b + where(channel == 2, amount, -amount),
    )


OP = Op(Tint, Pixels(tint), examples=(Tint(channel=("b",), amount=(0.2, 0.2)), Tint(channel=("r",), amount=(0.1, 0.1))))
