"""rand_augment: some operations at one strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from kernels.magnitudes import RAND
from kernels.op import Member, Op, Policy
from kernels.params import Integer, IntegerRange, Warp
from kernels.tensors import Size


class RandAugment(Warp):
    """Carry out some operations of 14, each as likely, all at the same strength; one may come again.

    Source: Cubuk, Zoph, Shlens, Le: "RandAugment: Practical automated data augmentation" (NeurIPS 2020).
    """

    op: Literal["rand_augment"] = "rand_augment"
    n: Annotated[IntegerRange, Integer(0, 16, unit="operations")] = (2, 2)
    """How many operations."""
    m: Annotated[IntegerRange, Integer(0, RAND.bins - 1, unit=f"of {RAND.bins - 1}")] = (9, 9)
    """Their strength."""


def draws(params: RandAugment) -> int:
    return 2 * params.n[1]


def members(fractions: Sequence[float], size_in: Size, n: int, m: int) -> list[Member]:
    found = [RAND.drawn(fractions[2 * place], m, fractions[2 * place + 1], size_in) for place in range(n)]
    return [member for member in found if member is not None]


OP = Op(
    RandAugment,
    Policy(draws, members),
    examples=(RandAugment(n=(3, 3), m=(15, 15)), RandAugment(m=(5, 15), border="reflect")),
)
