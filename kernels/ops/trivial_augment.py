"""trivial_augment: one operation at any strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kernels.magnitudes import TRIVIAL
from kernels.op import Member, Op, Policy
from kernels.params import Params, Warp
from kernels.tensors import Size


class TrivialAugment(Warp):
    """Carry out one operation of 14, each as likely, at one of 31 strengths from none to extreme: there is nothing to tune.

    Source: Mueller, Hutter: "TrivialAugment: Tuning-free yet state-of-the-art data augmentation" (ICCV 2021), wide space.
    """

    op: Literal["trivial_augment"] = "trivial_augment"


def draws(params: Params) -> int:
    return 3


def members(fractions: Sequence[float], size_in: Size) -> list[Member]:
    member = TRIVIAL.drawn(fractions[0], int(fractions[1] * TRIVIAL.bins), fractions[2], size_in)
    return [] if member is None else [member]


OP = Op(TrivialAugment, Policy(draws, members), examples=(TrivialAugment(), TrivialAugment(border="reflect")))
