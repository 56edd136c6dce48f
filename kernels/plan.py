"""Plan: one variant of one picture, every number drawn and every canvas size known, before a pixel is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kernels import rng, tree
from kernels.equivalents import EQUIVALENTS
from kernels.errors import RecipeInvalid
from kernels.label_rules import LabelRules
from kernels.op import Blend, Member, Op, Policy, asked
from kernels.ops import OPS
from kernels.params import Cycle, Drawn, Params
from kernels.partners import Choices, Partner, Pool, choices
from kernels.recipe import Profile, Recipe
from kernels.tensors import MAX_PIXELS, MAX_SIDE, Size
from kernels.tree import Step, Taken, Tree

_RULES = LabelRules()
_NONE_TAKEN: Taken = {}
_NO_NOISE = (0, 0)


class PlannedStep(NamedTuple):
    """One step that is applied: its numbers, its noise seed, the canvas it starts from and the one it leaves.

    The steps that a policy makes up have its number and, for border and fill, its params.
    """

    number: int
    op: Op
    params: Params
    fields: Mapping[str, Any]
    """Drawn and static fields by name, as the operation's function takes them."""
    noise_seed: tuple[int, int]
    size_in: Size
    size_out: Size
    partners: tuple[Partner, ...] = ()
    """The pictures that a mixing step takes, where the plan was made for a pool."""
    chains: tuple[tuple[PlannedStep, ...], ...] = ()
    """The steps that a blend puts together, whose weights are among its fields."""


@dataclass(frozen=True)
class Plan:
    """What will happen to one variant of one picture."""

    steps: tuple[PlannedStep, ...]
    size_in: Size
    size_out: Size
    draws: tuple[Mapping[str, Any], ...]
    """Every step of the recipe, skipped ones too, as plain JSON: {step, op, applied, draws}.

    And partners, if it took some; taken, of a container, the numbers of the steps inside that were carried out, in their
    order; members, of a policy, or strands, of a blend, each with its weight: what it made up.
    """
    label_rules: LabelRules = _RULES
    """Which labels the result keeps."""
    profile: Profile = "fused"


@dataclass(frozen=True)
class Variant:
    """What a plan is made for: one variant of one picture, in sensor (not EXIF) terms its decoded size."""

    key: int
    variant: int
    size: Size


def plan(recipe: Recipe, seed: int, key: int | str, variant: int, size: Size, pool: Pool | None = None) -> Plan:
    """The plan of one variant. seed: 0 .. 2^53-1; key: the item's integer or custom id."""
    return plans(recipe, seed, [Variant(rng.item_key(key), variant, size)], pool)[0]


def plans(recipe: Recipe, seed: int, variants: Sequence[Variant], pool: Pool | None = None) -> list[Plan]:
    """Plans of many variants under one recipe and seed, all numbers drawn in one go.

    pool: where mixing steps find their partners; without one, plans tell sizes and draws, but cannot be run if they mix.
    RecipeInvalid where the pool holds no partner, or a canvas is too large.
    """
    if not 0 <= seed <= rng.MAX_SEED:
        raise ValueError(f"a seed is 0 to 2^53-1, not {seed}")
    found = tree.tree(recipe)
    numbers, noise = tree.draws(found, seed, variants)
    partners: Sequence[Choices] = [{}] * len(variants) if pool is None else choices(recipe, seed, variants, pool)
    rules = recipe.labels
    made = [_planned(found, rules, *each) for each in zip(variants, numbers, noise, partners, strict=True)]
    if recipe.profile == "fused":
        return made
    return [_within_reach(replace(each, profile=recipe.profile), found) for each in made]


def _planned(
    found: Tree,
    rules: LabelRules,
    variant: Variant,
    numbers: Sequence[float],
    noise: Sequence[int],
    partners: Choices,
) -> Plan:
    applied: list[PlannedStep] = []
    record: list[Mapping[str, Any]] = []
    size = variant.size
    steps, taken = (found.steps, _NONE_TAKEN) if found.is_flat else tree.taken(found, numbers)
    for number, op, params, fields, static, gate, canvas, own in steps:
        drawn: dict[str, Drawn] = {}
        for place, (name, kind, ends) in enumerate(fields, gate + 1):
            if kind is None:
                drawn[name] = numbers[place]
            else:
                drawn[name] = kind.of(ends, variant.variant) if isinstance(kind, Cycle) else kind.draw(ends, numbers[place])
        applies = numbers[gate] < params.chance
        told: dict[str, Any] = {"step": number, "op": op.name, "applied": applies, "draws": drawn}
        record.append(told)
        if not applies:
            continue
        values = {**drawn, **static} if static else drawn
        seed = noise[2 * number], noise[2 * number + 1]
        if own is not None:
            applied += _made_up(found.steps[number], values, numbers[own], size, told)
            continue
        size_out = size if canvas is None else _canvas(op, canvas, size, values, found.pointers[number])
        taken_partners = partners.get(number, ())
        if taken_partners:
            told["partners"] = [partner.document() for partner in taken_partners]
        applied.append(PlannedStep(number, op, params, values, seed, size, size_out, taken_partners))
        size = size_out
    if not found.is_flat:
        record = _completed(found, numbers, record, taken)
    return Plan(tuple(applied), variant.size, size, tuple(record), rules)


def _completed(
    found: Tree, numbers: Sequence[float], record: Sequence[Mapping[str, Any]], taken: Taken
) -> list[Mapping[str, Any]]:
    """The record with what stands in branches not taken, and containers with the steps that they let through."""
    told = {each["step"]: each for each in record}
    for step in found.steps:
        if step.number not in told:
            skipped = {"step": step.number, "op": step.op.name, "applied": False, "draws": step.fields(numbers)}
            let = {"applied": True, "taken": list(taken[step.number])} if step.number in taken else {}
            told[step.number] = {**skipped, **let}
    return [told[step.number] for step in found.steps]


def _made_up(
    step: Step, fields: Mapping[str, Any], fractions: Sequence[float], size: Size, told: dict[str, Any]
) -> list[PlannedStep]:
    """What a policy stands for; `told` is given its members. Its border and fill are theirs."""
    match step.op.kind:
        case Policy(_, function):
            members = function(fractions, size, **asked(function, fields))
            told["members"] = [member.document() for member in members]
            return [_member(step, member, size) for member in members]
        case Blend(_, function):
            strands = function(fractions, size, **asked(function, fields))
            told["strands"] = [
                {"weight": strand.weight, "members": [member.document() for member in strand.members]} for strand in strands
            ]
            chains = tuple(tuple(_member(step, member, size) for member in strand.members) for strand in strands)
            values = {**fields, "weights": tuple(strand.weight for strand in strands)}
            return [PlannedStep(step.number, step.op, step.params, values, _NO_NOISE, size, size, (), chains)]
        case _:
            raise TypeError(f"{step.op.name} makes up no steps")


def _member(step: Step, member: Member, size: Size) -> PlannedStep:
    return PlannedStep(step.number, OPS[member.op], step.params, member.fields, _NO_NOISE, size, size)


def _canvas(op: Op, made: Callable[..., Size], size: Size, fields: Mapping[str, Any], pointer: str) -> Size:
    canvas = made(size, **asked(made, fields))
    if not (1 <= canvas.height <= MAX_SIDE and 1 <= canvas.width <= MAX_SIDE) or canvas.pixels > MAX_PIXELS:
        raise RecipeInvalid(
            f"{op.name} makes a picture of {canvas.width} x {canvas.height}; "
            f"a side may have 1 to {MAX_SIDE} and a picture {MAX_PIXELS} pixels",
            pointer,
        )
    return canvas


def _within_reach(planned: Plan, found: Tree) -> Plan:
    """The plan, unless a step asks Kornia for more of what lies outside the picture than it can reflect."""
    for step in planned.steps:
        equivalent = EQUIVALENTS.get(step.op.name)
        if equivalent is None or equivalent.reach is None:
            continue
        reach, side = equivalent.reach(**asked(equivalent.reach, step.fields)), min(step.size_in)
        if reach >= side:
            raise RecipeInvalid(
                f"{step.op.name} reaches {reach} pixels beyond the picture; in profile kornia that must be less than its "
                f"shorter side, {side}. Use a smaller window, a larger picture or profile fused",
                found.pointers[step.number],
            )
    return planned
