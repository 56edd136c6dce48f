"""auto_augment: learned pairs of operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kernels.magnitudes import AUTO
from kernels.op import Member, Op, Policy
from kernels.params import Params, Warp
from kernels.sub_policies import CIFAR10, IMAGENET, SVHN
from kernels.tensors import Size

_SUB_POLICIES = {"imagenet": IMAGENET, "cifar10": CIFAR10, "svhn": SVHN}


class AutoAugment(Warp):
    """Carry out one of 25 pairs of operations that were learned on a data set, each with its own chance and strength.

    Source: Cubuk, Zoph, Mane, Vasudevan, Le: "AutoAugment: Learning augmentation strategies from data" (CVPR 2019).
    """

    op: Literal["auto_augment"] = "auto_augment"
    policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet"
    """The data set."""


def draws(params: Params) -> int:
    return 5


def members(fractions: Sequence[float], size_in: Size, policy: str) -> list[Member]:
    pairs = _SUB_POLICIES[policy]
    pair = pairs[int(fractions[0] * len(pairs))]
    made = []
    for (name, chance, strength), gate, sign in zip(pair, fractions[1:3], fractions[3:5], strict=True):
        if gate < chance and (member := AUTO.member(name, strength, sign < 0.5, size_in)) is not None:
            made.append(member)
    return made


OP = Op(
    AutoAugment,
    Policy(draws, members),
    examples=(AutoAugment(), AutoAugment(policy="svhn", fill=(0.5, 0.5, 0.5)), AutoAugment(policy="cifar10")),
)
