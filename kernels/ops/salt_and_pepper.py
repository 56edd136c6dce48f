"""salt_and_pepper: white and black specks."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import NoiseSeed, Value, uniform, where


class SaltAndPepper(Params):
    """Make some pixels white and others black."""

    op: Literal["salt_and_pepper"] = "salt_and_pepper"
    amount: Annotated[Range, Uniform(0, 1, unit="share of pixels")] = (0.01, 0.05)
    """Probability of each pixel to be changed."""
    salt: Annotated[Range, Uniform(0, 1, unit="share of the changed pixels")] = (0.5, 0.5)
    """Probability of a changed pixel to be white; the others are black."""


def salt_and_pepper(
    r: Value, g: Value, b: Value, i: Value, seed: NoiseSeed, amount: float, salt: float
) -> tuple[Value, Value, Value]:
    hit = uniform(i, seed, 0) < amount
    speck = where(uniform(i, seed, 1) < salt, 1.0, 0.0)
    return where(hit, speck, r), where(hit, speck, g), where(hit, speck, b)


OP = Op(
    SaltAndPepper,
    Pixels(salt_and_pepper),
    examples=(SaltAndPepper(amount=(0.15, 0.15)), SaltAndPepper(amount=(0.05, 0.05), salt=(0.9, 0.9))),
)
