"""gaussian_noise: the grain of a sensor."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, normal


class GaussianNoise(Params):
    """Add to every value a normally distributed number of its own."""

    op: Literal["gaussian_noise"] = "gaussian_noise"
    sigma: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.02, 0.08)
    """Standard deviation of the numbers."""


def gaussian_noise(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, sigma: float) -> tuple[Value, Value, Value]:
    return r + sigma * normal(i, seed, 0), g + sigma * normal(i, seed, 1), b + sigma * normal(i, seed, 2)


OP = Op(
    GaussianNoise, Pixels(gaussian_noise), examples=(GaussianNoise(sigma=(0.12, 0.12)), GaussianNoise(sigma=(0.04, 0.04)))
)
