"""shot_noise: light arrives in photons."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, normal, sqrt


class ShotNoise(Params):
    """Scatter every value as if so many photons had been counted: the brighter, the more noise, and black stays black.

    The Poisson distribution is replaced by a normal one of the same mean and variance, close to it from ten photons on.
    """

    op: Literal["shot_noise"] = "shot_noise"
    photons: Annotated[Range, Uniform(1, 1_000_000, unit="photons of a white pixel")] = (50.0, 500.0)
    """How many photons make a value of 1: the fewer, the more noise; 100 scatter white by a tenth."""


def shot_noise(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, photons: float) -> tuple[Value, Value, Value]:
    return (
        r + sqrt(r / photons) * normal(i, seed, 0),
        g + sqrt(g / photons) * normal(i, seed, 1),
        b + sqrt(b / photons) * normal(i, seed, 2),
    )


OP = Op(ShotNoise, Pixels(shot_noise), examples=(ShotNoise(photons=(25.0, 25.0)), ShotNoise(photons=(200.0, 200.0))))
