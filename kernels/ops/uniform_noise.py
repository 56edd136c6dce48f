"""uniform_noise: noise that has a limit."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform


class UniformNoise(Params):
    """Add to every value a number of its own, evenly distributed about 0."""

    op: Literal["uniform_noise"] = "uniform_noise"
    amplitude: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.02, 0.12)
    """The most that is added or taken away."""


def uniform_noise(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, amplitude: float) -> tuple[Value, Value, Value]:
    width = 2.0 * amplitude
    return (
        r + width * (uniform(i, seed, 0) - 0.5),
        g + width * (uniform(i, seed, 1) - 0.5),
        b + width * (uniform(i, seed, 2) - 0.5),
    )


OP = Op(
    UniformNoise,
    Pixels(uniform_noise),
    examples=(UniformNoise(amplitude=(0.25, 0.25)), UniformNoise(amplitude=(0.08, 0.08))),
)
