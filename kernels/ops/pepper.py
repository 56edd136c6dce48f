"""pepper: black specks."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform, where


class Pepper(Params):
    """Make some pixels black."""

    op: Literal["pepper"] = "pepper"
    amount: Annotated[Range, Uniform(0, 1, unit="share of pixels")] = (0.01, 0.05)
    """Probability of each pixel to become black."""


def pepper(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, amount: float) -> tuple[Value, Value, Value]:
    hit = uniform(i, seed, 0) < amount
    return where(hit, 0.0, r), where(hit, 0.0, g), where(hit, 0.0, b)


OP = Op(Pepper, Pixels(pepper), examples=(Pepper(amount=(0.1, 0.1)), Pepper(amount=(0.02, 0.02))))
