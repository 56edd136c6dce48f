"""salt: white specks."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform, where


class Salt(Params):
    """Make some pixels white."""

    op: Literal["salt"] = "salt"
    amount: Annotated[Range, Uniform(0, 1, unit="share of pixels")] = (0.01, 0.05)
    """Probability of each pixel to become white."""


def salt(r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, amount: float) -> tuple[Value, Value, Value]:
    hit = uniform(i, seed, 0) < amount
    return where(hit, 1.0, r), where(hit, 1.0, g), where(hit, 1.0, b)


OP = Op(Salt, Pixels(salt), examples=(Salt(amount=(0.1, 0.1)), Salt(amount=(0.02, 0.02))))
