"""pixel_dropout: dead pixels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kernels.op import Op, Pixels
from kernels.params import Color, Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform, where


class PixelDropout(Params):
    """Replace some pixels, or some values of single channels, by one colour."""

    op: Literal["pixel_dropout"] = "pixel_dropout"
    amount: Annotated[Range, Uniform(0, 1, unit="share of pixels")] = (0.01, 0.1)
    """Probability of each pixel, or value, to be replaced."""
    per_channel: Annotated[bool, Field(strict=True)] = False
    """Whether each channel of a pixel is lost on its own."""
    color: Color = (0.0, 0.0, 0.0)
    """What they are replaced by."""


def pixel_dropout(
    r: Value,
    g: Value,
    b: Value,
    i: Value,
    seed: NoiseSeed,
    amount: float,
    per_channel: int,
    color: tuple[float, float, float],
) -> tuple[Value, Value, Value]:
    chance = uniform(i, seed, 0)
    own = per_channel == 1
    return (
        where(chance < amount, color[0], r),
        where(where(own, uniform(i, seed, 1), chance) < amount, color[1], g),
        where(where(own, uniform(i, seed, 2), chance) < amount, color[2], b),
    )


OP = Op(
    PixelDropout,
    Pixels(pixel_dropout),
    examples=(PixelDropout(amount=(0.25, 0.25)), PixelDropout(amount=(0.1, 0.1), per_channel=True)),
)
