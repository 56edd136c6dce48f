"""Stages: a plan cut where pixels must be known before it goes on. Consecutive geometric steps are one chain, read once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kernels.chain import Link, chain, outlined
from kernels.mixing import Guests, Mixture
from kernels.op import Field, Mix, Places
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
    for (moves, mixes), group in itertools.groupby(plan.steps, _manner):
        steps = tuple(group)
        if mixes:
            found += [Mixture(step, _found(step, guests)) for step in steps]
        else:
            found.append(Chain(linked(steps)) if moves else Painting(steps))
    return tuple(found)


def _found(step: PlannedStep, guests: Guests | None) -> Guests:
    assert isinstance(step.op.kind, Mix)
    if guests is None and step.op.kind.partners:
        raise ValueError("a plan that mixes pictures is run with partners")
    return guests or Guests(_nobody, 3)


def _nobody(partner: Partner) -> Picture:
    raise ValueError(f"an outline asks for no pixels, but {partner} was asked for")


def _manner(step: PlannedStep) -> tuple[bool, bool]:
    return isinstance(step.op.kind, Places | Field), isinstance(step.op.kind, Mix)
