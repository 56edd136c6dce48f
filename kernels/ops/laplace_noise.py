"""laplace_noise: noise with more outliers than the normal one."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, log2, maximum, uniform, where


class LaplaceNoise(Params):
    """Add to every value a number of its own with a Laplace distribution: most are small, some are far out."""

    op: Literal["laplace_noise"] = "laplace_noise"
    sigma: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.02, 0.08)
    """Standard deviation of the numbers."""


def laplace(fraction: Value) -> Value:
    """A number of the Laplace distribution of standard deviation 1, from an even fraction in (0, 1): its inverse."""
    side = fraction - 0.5
    size = -0.49012908 * log2(1.0 - 2.0 * maximum(side, -side))  # ln 2 / sqrt 2
    return where(side < 0.0, -size, size)


def laplace_noise(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, sigma: float) -> tuple[Value, Value, Value]:
    return (
        r + sigma * laplace(uniform(i, seed, 0)),
        g + sigma * laplace(uniform(i, seed, 1)),
        b + sigma * laplace(uniform(i, seed, 2)),
    )


OP = Op(LaplaceNoise, Pixels(laplace_noise), examples=(LaplaceNoise(sigma=(0.12, 0.12)), LaplaceNoise(sigma=(0.04, 0.04))))
