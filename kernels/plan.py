"""Plan: one variant of one picture, every number drawn and every canvas size known, before a pixel is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kernels import rng, tree
from kernels.equivalents import EQUIVALENTS
from kernels.errors import RecipeInvalid
from kernels.label_rules import LabelRules
from kernels.labels import Labels
from kernels.op import Blend, Member, Op, Piece, Policy, Within, asked
from kernels.ops import OPS
from kernels.params import Cycle, Drawn, Group, Params
from kernels.partners import Choices, Partner, Partners, Pool, choices
from kernels.recipe import Profile, Recipe
from kernels.tensors import MAX_PIXELS, MAX_SIDE, Size
from kernels.tree import Step, Taken, Tree

if TYPE_CHECKING:
    from kernels.sight import Sight

_RULES = LabelRules()
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
    """The steps that a blend puts together, or those that are carried out on each part of the picture."""
    weights: tuple[float, ...] = ()
    """Of a blend the share of each chain."""
    pieces: tuple[Piece, ...] = ()
    """The part of the picture that each chain is for."""


@dataclass(frozen=True)
class Plan:
    """What will happen to one variant of one picture."""

    steps: tuple[PlannedStep, ...]
    size_in: Size
    size_out: Size
    draws: tuple[Mapping[str, Any], ...]
    """Every step of the recipe, skipped ones too, as plain JSON: {step, op, applied, draws}.

    And partners, if it took some; taken, of a container, the numbers of the steps inside that were carried out, in their
    order; members, of a policy, or strands, of a blend, each with its weight: what it made up; aimed, of a step that looks
    at labels: what it found there.
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
    labels: Labels | None = None
    """Those of the picture: steps that look at labels draw by them."""
    name: str | None = None
    """Its custom id, which says what sequence it is of; if not given, its key in decimal digits."""


def plan(
    recipe: Recipe,
    seed: int,
    key: int | str,
    variant: int,
    size: Size,
    pool: Pool | None = None,
    labels: Labels | None = None,
    partners: Partners | None = None,
) -> Plan:
    """The plan of one variant. seed: 0 .. 2^53-1; key: the item's integer or custom id."""
    return plans(recipe, seed, [Variant(rng.item_key(key), variant, size, labels, str(key))], pool, partners)[0]


def plans(
    recipe: Recipe, seed: int, variants: Sequence[Variant], pool: Pool | None = None, partners: Partners | None = None
) -> list[Plan]:
    """Plans of many variants under one recipe and seed, all numbers drawn in one go.

    pool: where mixing steps find their partners; without one, plans tell sizes and draws, but cannot be run if they mix.
    partners: where partners are found, for steps that look at labels after one that mixes; asked by them alone.
    RecipeInvalid where the pool holds no partner, or a canvas is too large; PartnerUnusable.
    """
    if not 0 <= seed <= rng.MAX_SEED:
        raise ValueError(f"a seed is 0 to 2^53-1, not {seed}")
    found = tree.tree(recipe)
    numbers, noise = tree.draws(found, seed, variants)
    chosen: Sequence[Choices] = [{}] * len(variants) if pool is None else choices(recipe, seed, variants, pool)
    rules = recipe.labels
    made = [_planned(_Given(found, rules, *each, partners)) for each in zip(variants, numbers, noise, chosen, strict=True)]
    if recipe.profile == "fused":
        return made
    return [_within_reach(replace(each, profile=recipe.profile), found) for each in made]


class _Given(NamedTuple):
    """What the plan of one variant is made of."""

    found: Tree
    rules: LabelRules
    variant: Variant
    numbers: Sequence[float]
    """What is drawn, see `tree.draws`."""
    noise: Sequence[int]
    chosen: Choices
    partners: Partners | None


def _planned(given: _Given) -> Plan:
    found, record = given.found, list[Mapping[str, Any]]()
    taken: dict[int, tuple[int, ...]] = {}
    steps = found.steps if found.is_flat else tree.taken(found, found.roots, given.numbers, taken)
    applied, size = _applied(given, steps, given.variant.size, record, taken)
    if not found.is_flat:
        record = _completed(found, given.numbers, record, taken)
    return Plan(tuple(applied), given.variant.size, size, tuple(record), given.rules)


def _applied(
    given: _Given,
    steps: Iterable[Step],
    size: Size,
    record: list[Mapping[str, Any]],
    taken: dict[int, tuple[int, ...]],
) -> tuple[list[PlannedStep], Size]:
    """Those of the steps that are applied, on a canvas of `size` at first, and the size that they leave."""
    found, _, variant, numbers, noise, chosen, _ = given
    applied: list[PlannedStep] = []
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
        if op.aim is not None:
            seen = _seen(given, applied, size)
            aimed = op.aim.function(seen, size, **asked(op.aim.function, {**values, "seed": seed}))
            values, told["aimed"] = {**values, **aimed.fields}, aimed.told
        if isinstance(op.kind, Within):
            applied.append(_enclosed(given, found.steps[number], values, size, record, taken))
            continue
        size_out = size if canvas is None else _canvas(op, canvas, size, values, found.pointers[number])
        taken_partners = chosen.get(number, ())
        if taken_partners:
            told["partners"] = [partner.document() for partner in taken_partners]
        applied.append(PlannedStep(number, op, params, values, seed, size, size_out, taken_partners))
        size = size_out
    return applied, size


def _seen(given: _Given, applied: Sequence[PlannedStep], size: Size) -> Sight | None:
    """The labels as they are after the steps that are applied so far."""
    from kernels.sight import sight  # which is made of chains and mixtures, and these of plans

    return sight(given.variant.labels, applied, given.variant.size, size, given.rules, given.partners)


def _enclosed(
    given: _Given,
    step: Step,
    fields: Mapping[str, Any],
    size: Size,
    record: list[Mapping[str, Any]],
    taken: dict[int, tuple[int, ...]],
) -> PlannedStep:
    """A step with steps inside that are carried out on parts of the picture, each part as a picture of its own."""
    assert isinstance(step.op.kind, Within)
    assert isinstance(step.params, Group)
    pieces = tuple(step.op.kind.pieces(size, **asked(step.op.kind.pieces, fields)))
    inside, each = given.found.inside[step.number], len(step.params.steps)
    chains: list[tuple[PlannedStep, ...]] = []
    for place, piece in enumerate(pieces):
        if not piece.region.size.pixels:
            chains.append(())
            continue
        first = place * each % len(inside)
        steps = tree.taken(given.found, inside[first : first + each], given.numbers, taken)
        chains.append(tuple(_applied(given, steps, piece.region.size, record, taken)[0]))
    return PlannedStep(step.number, step.op, step.params, fields, _NO_NOISE, size, size, (), tuple(chains), (), pieces)


def _completed(
    found: Tree, numbers: Sequence[float], record: Sequence[Mapping[str, Any]], taken: Taken
) -> list[Mapping[str, Any]]:
    """The record with what stands in branches not taken, and containers with the steps that they let through."""
    # the same steps may be carried out on several parts of a picture: what they drew is the same
    told = {each["step"]: each for each in reversed(record)}
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
            weights = tuple(strand.weight for strand in strands)
            return [PlannedStep(step.number, step.op, step.params, fields, _NO_NOISE, size, size, (), chains, weights)]
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
