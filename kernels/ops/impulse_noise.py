"""impulse_noise: confetti."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import byte
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform, where


class ImpulseNoise(Params):
    """Replace some pixels by random colours, each colour equally likely."""

    op: Literal["impulse_noise"] = "impulse_noise"
    amount: Annotated[Range, Uniform(0, 1, unit="share of pixels")] = (0.01, 0.05)
    """Probability of each pixel to be replaced."""


def impulse_noise(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, amount: float) -> tuple[Value, Value, Value]:
    hit = uniform(i, seed, 0) < amount
    return (
        where(hit, byte(uniform(i, seed, 1)), r),
        where(hit, byte(uniform(i, seed, 2)), g),
        where(hit, byte(uniform(i, seed, 3)), b),
    )


OP = Op(ImpulseNoise, Pixels(impulse_noise), examples=(ImpulseNoise(amount=(0.2, 0.2)), ImpulseNoise(amount=(0.03, 0.03))))
