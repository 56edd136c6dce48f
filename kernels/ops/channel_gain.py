"""channel_gain: each channel gets a factor of its own, as by a wrong white balance."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class ChannelGain(Params):
    """Multiply each channel by a number of its own."""

    op: Literal["channel_gain"] = "channel_gain"
    red: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What red is multiplied by."""
    green: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What green is multiplied by."""
    blue: Annotated[Range, Uniform(0, 10, unit="times")] = (0.8, 1.2)
    """What blue is multiplied by."""


def channel_gain(r: Value, g: Value, b: Value, red: float, green: float, blue: float) -> tuple[Value, Value, Value]:
    return r * red, g * green, b * blue


OP = Op(
    ChannelGain,
    Pixels(channel_gain),
    examples=(
        ChannelGain(red=(0.7, 0.7), green=(1.0, 1.0), blue=(1.4, 1.4)),
        ChannelGain(red=(1.15, 1.15), green=(0.95, 0.95), blue=(0.85, 0.85)),
    ),
)
