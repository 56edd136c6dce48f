"""Plan: one variant of one picture, every number drawn and every canvas size known, before a pixel is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels import rng
from kernels.equivalents import EQUIVALENTS
from kernels.errors import RecipeInvalid
from kernels.label_rules import LabelRules
from kernels.op import Mix, Op, Places
from kernels.ops import OPS
from kernels.params import Cycle, Drawn, DrawnKind, Params, drawn_fields, static_fields
from kernels.partners import Choices, Partner, Pool, choices
from kernels.recipe import Profile, Recipe, preorder
from kernels.tensors import MAX_PIXELS, MAX_SIDE, Size

_RULES = LabelRules()
_RESAMPLER_FIELDS = ("border", "fill")


class PlannedStep(NamedTuple):
    """One step that is applied: its numbers, its noise seed, the canvas it starts from and the one it leaves."""

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


@dataclass(frozen=True)
class Plan:
    """What will happen to one variant of one picture."""

    steps: tuple[PlannedStep, ...]
    size_in: Size
    size_out: Size
    draws: tuple[Mapping[str, Any], ...]
    """Every step of the recipe, skipped ones too, as plain JSON: {step, op, applied, draws}; partners, if it took some."""
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
    steps = _recipe_steps(recipe)
    fractions, noise = _draw(steps, seed, variants)
    partners: Sequence[Choices] = [{}] * len(variants) if pool is None else choices(recipe, seed, variants, pool)
    rules = recipe.labels
    made = [_planned(steps, rules, *each) for each in zip(variants, fractions, noise, partners, strict=True)]
    if recipe.profile == "fused":
        return made
    return [_within_reach(replace(each, profile=recipe.profile)) for each in made]


class _Step(NamedTuple):
    """What all plans of a recipe share of one of its steps."""

    number: int
    op: Op
    params: Params
    drawn: tuple[tuple[str, DrawnKind, Any], ...]
    """Name, kind and what is drawn from of each drawn field."""
    static: Mapping[str, Any]
    draw: int
    """Place of the step's first draw, its chance gate, among those of the recipe."""
    canvas: Callable[..., Size] | None


@lru_cache(maxsize=256)
def _recipe_steps(recipe: Recipe) -> tuple[_Step, ...]:
    found: list[_Step] = []
    draw = 0
    for number, params in enumerate(preorder(recipe.steps)):
        op, kind = OPS[params.op], type(params)
        drawn = tuple((name, drawn_kind, getattr(params, name)) for name, drawn_kind in drawn_fields(kind))
        static = {name: getattr(params, name) for name in static_fields(kind) if name not in _RESAMPLER_FIELDS}
        canvas = op.kind.canvas if isinstance(op.kind, Places | Mix) else None
        found.append(_Step(number, op, params, drawn, static, draw, canvas))
        draw += 4 * _blocks(drawn)
    return tuple(found)


def _blocks(drawn: Sized) -> int:
    """Blocks of four draws that a step's gate and fields take."""
    return len(drawn) // 4 + 1


def _draw(steps: Sequence[_Step], seed: int, variants: Sequence[Variant]) -> tuple[list[list[float]], list[list[int]]]:
    """Of each variant: fractions in [0, 1), a step's from its place `draw` on, and two noise words of each step."""
    wanted = [(step.number, block) for step in steps for block in range(_blocks(step.drawn))]
    wanted += [(step.number, rng.NOISE_BLOCK) for step in steps]
    places = np.array(wanted, dtype=np.uint64).reshape(-1, 2)
    counter = rng.counters(
        np.array([variant.key for variant in variants], dtype=np.uint64)[:, None],
        np.array([variant.variant for variant in variants], dtype=np.uint64)[:, None],
        places[:, 0],
        places[:, 1],
    )
    words = rng.philox(counter, seed)
    drawn = words[:, : len(wanted) - len(steps)].reshape(len(variants), -1)
    noise = words[:, len(wanted) - len(steps) :, :2].reshape(len(variants), -1)
    return rng.fractions(drawn).tolist(), noise.tolist()


def _planned(
    steps: Sequence[_Step],
    rules: LabelRules,
    variant: Variant,
    fractions: Sequence[float],
    noise: Sequence[int],
    partners: Choices,
) -> Plan:
    applied: list[PlannedStep] = []
    record: list[Mapping[str, Any]] = []
    size = variant.size
    for number, op, params, fields, static, gate, canvas in steps:
        drawn: dict[str, Drawn] = {}
        for place, (name, kind, ends) in enumerate(fields, gate + 1):
            drawn[name] = kind.of(ends, variant.variant) if isinstance(kind, Cycle) else kind.draw(ends, fractions[place])
        applies = fractions[gate] < params.chance
        told: dict[str, Any] = {"step": number, "op": op.name, "applied": applies, "draws": drawn}
        record.append(told)
        if not applies:
            continue
        values = {**drawn, **static} if static else drawn
        size_out = size if canvas is None else _canvas(op, canvas, size, values, number)
        seed = noise[2 * number], noise[2 * number + 1]
        taken = partners.get(number, ())
        if taken:
            told["partners"] = [partner.document() for partner in taken]
        applied.append(PlannedStep(number, op, params, values, seed, size, size_out, taken))
        size = size_out
    return Plan(tuple(applied), variant.size, size, tuple(record), rules)


def _canvas(op: Op, made: Callable[..., Size], size: Size, fields: Mapping[str, Any], number: int) -> Size:
    canvas = made(size, **asked(made, fields))
    if not (1 <= canvas.height <= MAX_SIDE and 1 <= canvas.width <= MAX_SIDE) or canvas.pixels > MAX_PIXELS:
        raise RecipeInvalid(
            f"{op.name} makes a picture of {canvas.width} x {canvas.height}; "
            f"a side may have 1 to {MAX_SIDE} and a picture {MAX_PIXELS} pixels",
            f"/steps/{number}",
        )
    return canvas


def _within_reach(planned: Plan) -> Plan:
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
                f"/steps/{step.number}",
            )
    return planned


def asked(function: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `fields` that `function` has an argument for."""
    return {name: fields[name] for name in arguments(function) if name in fields}


@cache
def arguments(function: Any) -> tuple[str, ...]:
    """Names of a plain function's arguments, in order."""
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names
