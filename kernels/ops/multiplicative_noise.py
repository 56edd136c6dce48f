"""multiplicative_noise: noise that bright parts have more of than dark ones, and that has a limit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform, where


class MultiplicativeNoise(Params):
    """Multiply every value, or all values of a pixel, by a number of its own, evenly distributed about 1.

    `speckle_noise` takes normal numbers, which have no limit.
    """

    op: Literal["multiplicative_noise"] = "multiplicative_noise"
    amplitude: Annotated[Range, Uniform(0, 1, unit="fraction of the value")] = (0.05, 0.2)
    """How far the numbers are from 1 at most."""
    per_channel: Annotated[bool, Field(strict=True)] = True
    """Whether the channels of a pixel have numbers of their own."""


def multiplicative_noise(
    r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, amplitude: float, per_channel: int
) -> tuple[Value, Value, Value]:
    red, green, blue = uniform(i, seed, 0), uniform(i, seed, 1), uniform(i, seed, 2)
    width, own = 2.0 * amplitude, per_channel == 1
    return (
        r + r * width * (red - 0.5),
        g + g * width * (where(own, green, red) - 0.5),
        b + b * width * (where(own, blue, red) - 0.5),
    )


OP = Op(
    MultiplicativeNoise,
    Pixels(multiplicative_noise),
    examples=(
        MultiplicativeNoise(amplitude=(0.5, 0.5)),
        MultiplicativeNoise(amplitude=(0.3, 0.3), per_channel=False),
    ),
)
