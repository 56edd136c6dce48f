"""Stages: a plan cut where pixels must be known before it goes on. Consecutive geometric steps are one chain, read once."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kernels.chain import Link, chain, outlined
from kernels.mixing import Guests, Mixture
from kernels.partners import Partner
from kernels.plan import Plan, PlannedStep
from kernels.tensors import Picture


class Chain(NamedTuple):
    """Consecutive geometric steps."""

    links: tuple[Link, ...]


class Painting(NamedTuple):
    """Consecutive steps that move nothing."""

    steps: tuple[PlannedStep, ...]


Stage = Chain | Painting | Mixture
_PART = operator.attrgetter("op.part")


def stages(plan: Plan, guests: Guests | None = None) -> tuple[Stage, ...]:
    """The plan's steps in order. guests: where steps that mix find their partners; ValueError where there are none."""
    return _cut(plan, chain, guests)


def outline(plan: Plan) -> tuple[Stage, ...]:
    """`stages` to be looked at only: cheap, since no displacement is worked out, and nobody is asked for a partner."""
    return _cut(plan, outlined, Guests(_nobody, 3))


def _cut(
    plan: Plan, linked: Callable[[Sequence[PlannedStep]], tuple[Link, ...]], guests: Guests | None
) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for part, group in itertools.groupby(plan.steps, _PART):
        steps = tuple(group)
        if part == "chain":
            found.append(Chain(linked(steps)))
        elif part == "painting":
            found.append(Painting(steps))
        elif guests is None:
            raise ValueError("a plan that mixes pictures is run with partners")
        else:
            found += [Mixture(step, guests) for step in steps]
    return tuple(found)


def _nobody(partner: Partner) -> Picture:
    raise ValueError(f"an outline asks for no pixels, but {partner} was asked for")
