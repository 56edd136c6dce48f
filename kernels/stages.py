"""Stages: a plan cut where pixels must be known before it goes on. Consecutive geometric steps are one chain, read once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kernels.chain import Link, chain, outlined
from kernels.op import Field, Places
from kernels.plan import Plan, PlannedStep


class Chain(NamedTuple):
    """Consecutive geometric steps."""

    links: tuple[Link, ...]


class Painting(NamedTuple):
    """Consecutive steps that move nothing."""

    steps: tuple[PlannedStep, ...]


Stage = Chain | Painting


def stages(plan: Plan) -> tuple[Stage, ...]:
    """The plan's steps in order."""
    return _cut(plan, chain)


def outline(plan: Plan) -> tuple[Stage, ...]:
    """`stages` to be looked at only: cheap, since no displacement is worked out."""
    return _cut(plan, outlined)


def _cut(plan: Plan, linked: Callable[[Sequence[PlannedStep]], tuple[Link, ...]]) -> tuple[Stage, ...]:
    grouped = itertools.groupby(plan.steps, _moves)
    return tuple(Chain(linked(tuple(steps))) if moves else Painting(tuple(steps)) for moves, steps in grouped)


def links(cut: tuple[Stage, ...]) -> tuple[Link, ...]:
    """The links of all chains, in order: what labels follow."""
    return tuple(link for stage in cut if isinstance(stage, Chain) for link in stage.links)


def _moves(step: PlannedStep) -> bool:
    return isinstance(step.op.kind, (Places, Field))
