"""speckle_noise: the grain of radar and ultrasound."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, normal


class SpeckleNoise(Params):
    """Multiply every value by a normally distributed number of its own, about 1."""

    op: Literal["speckle_noise"] = "speckle_noise"
    sigma: Annotated[Range, Uniform(0, 1, unit="fraction of the value")] = (0.05, 0.2)
    """Standard deviation of the numbers."""


def speckle_noise(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, sigma: float) -> tuple[Value, Value, Value]:
    return (
        r + r * sigma * normal(i, seed, 0),
        g + g * sigma * normal(i, seed, 1),
        b + b * sigma * normal(i, seed, 2),
    )


OP = Op(SpeckleNoise, Pixels(speckle_noise), examples=(SpeckleNoise(sigma=(0.3, 0.3)), SpeckleNoise(sigma=(0.1, 0.1))))
