"""Stages: a plan cut where pixels must be known before it goes on. Consecutive geometric steps are one chain, read once."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kernels.chain import Link, chain, outlined
from kernels.mixing import Guests, Mixture
from kernels.op import Mix
from kernels.partners import Partner
from kernels.plan import Plan, PlannedStep
from kernels.tensors import Picture


class Chain(NamedTuple):
    """Consecutive geometric steps."""

    links: tuple[Link, ...]


class Painting(NamedTuple):
    """Consecutive steps that move nothing."""

    steps: tuple[PlannedStep, ...]


class Blending(NamedTuple):
    """A step that puts chains of steps together, each on the picture as it comes, or on a part of it: see `blending`."""

    step: PlannedStep
    chains: tuple[tuple[Stage, ...], ...]
    """One for each of its weights, or for each part of the picture."""


Stage = Chain | Painting | Mixture | Blending
_PART = operator.attrgetter("op.part")


def stages(plan: Plan, guests: Guests | None = None) -> tuple[Stage, ...]:
    """The plan's steps in order. guests: where steps that mix find their partners; ValueError where there are none."""
    return _cut(plan.steps, chain, guests)


def cut(steps: Sequence[PlannedStep], guests: Guests | None = None) -> tuple[Stage, ...]:
    """`stages` of the first steps of a plan."""
    return _cut(steps, chain, guests)


def outline(plan: Plan) -> tuple[Stage, ...]:
    """`stages` to be looked at only: cheap, since no displacement is worked out, and nobody is asked for a partner."""
    return _cut(plan.steps, outlined, Guests(_nobody, 3))


def _cut(
    planned: Sequence[PlannedStep], linked: Callable[[Sequence[PlannedStep]], tuple[Link, ...]], guests: Guests | None
) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for part, group in itertools.groupby(planned, _PART):
        steps = tuple(group)
        match part:
            case "chain":
                found.append(Chain(linked(steps)))
            case "mixture":
                found += [Mixture(step, _found(step, guests)) for step in steps]
            case "blend":
                found += [Blending(step, tuple(_cut(chain, linked, None) for chain in step.chains)) for step in steps]
            case _:
                found.append(Painting(steps))
    return tuple(found)


def _found(step: PlannedStep, guests: Guests | None) -> Guests:
    assert isinstance(step.op.kind, Mix)
    if guests is None and step.op.kind.partners:
        raise ValueError("a plan that mixes pictures is run with partners")
    return guests or Guests(_nobody, 3)


def _nobody(partner: Partner) -> Picture:
    raise ValueError(f"an outline asks for no pixels, but {partner} was asked for")
