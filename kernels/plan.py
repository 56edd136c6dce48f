"""Plan: one variant of one picture, every number drawn and every canvas size known, before a pixel is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels import rng
from kernels.equivalents import EQUIVALENTS
from kernels.errors import RecipeInvalid
from kernels.op import Op, Places
from kernels.ops import OPS
from kernels.params import Drawn, Params, drawn_fields, static_fields
from kernels.recipe import Profile, Recipe, preorder
from kernels.tensors import MAX_PIXELS, MAX_SIDE, Size

_RESAMPLER_FIELDS = ("border", "fill")


@dataclass(frozen=True)
class PlannedStep:
    """One step that is applied: its numbers, its noise seed, the canvas it starts from and the one it leaves."""

    number: int
    op: Op
    params: Params
    fields: Mapping[str, Any]
    """Drawn and static fields by name, as the operation's function takes them."""
    noise_seed: tuple[int, int]
    size_in: Size
    size_out: Size


@dataclass(frozen=True)
class Plan:
    """What will happen to one variant of one picture."""

    steps: tuple[PlannedStep, ...]
    size_in: Size
    size_out: Size
    draws: tuple[Mapping[str, Any], ...]
    """Every step of the recipe, skipped ones too, as plain JSON: {step, op, applied, draws}."""
    profile: Profile = "fused"


@dataclass(frozen=True)
class Variant:
    """What a plan is made for: one variant of one picture, in sensor (not EXIF) terms its decoded size."""

    key: int
    variant: int
    size: Size


def plan(recipe: Recipe, seed: int, key: int | str, variant: int, size: Size) -> Plan:
    """The plan of one variant. seed: 0 .. 2^53-1; key: the item's integer or custom id."""
    return plans(recipe, seed, [Variant(rng.item_key(key), variant, size)])[0]


def plans(recipe: Recipe, seed: int, variants: Sequence[Variant]) -> list[Plan]:
    """Plans of many variants under one recipe and seed, all numbers drawn in one go."""
    if not 0 <= seed <= rng.MAX_SEED:
        raise ValueError(f"a seed is 0 to 2^53-1, not {seed}")
    steps = tuple(preorder(recipe.steps))
    fractions, noise = _draw(steps, seed, variants)
    made = [_planned(steps, variant, fractions[row], noise[row]) for row, variant in enumerate(variants)]
    if recipe.profile == "fused":
        return made
    return [_within_reach(replace(each, profile=recipe.profile)) for each in made]


def _draw(steps: tuple[Params, ...], seed: int, variants: Sequence[Variant]) -> tuple[Any, Any]:
    """Fractions (variant, step, draw) in [0, 1) and noise seeds (variant, step, 2)."""
    most = max((len(drawn_fields(type(step))) for step in steps), default=0)
    blocks = np.array([*range(most // 4 + 1), rng.NOISE_BLOCK], dtype=np.uint64)
    counter = rng.counters(
        np.array([variant.key for variant in variants], dtype=np.uint64)[:, None, None],
        np.array([variant.variant for variant in variants], dtype=np.uint64)[:, None, None],
        np.arange(len(steps), dtype=np.uint64)[None, :, None],
        blocks[None, None, :],
    )
    words = rng.philox(counter, seed)
    drawn = words[:, :, :-1].reshape(len(variants), len(steps), 4 * (len(blocks) - 1))
    return rng.fractions(drawn).tolist(), words[:, :, -1, :2].tolist()


def _planned(steps: tuple[Params, ...], variant: Variant, fractions: Any, noise: Any) -> Plan:
    applied: list[PlannedStep] = []
    record: list[Mapping[str, Any]] = []
    size = variant.size
    for number, params in enumerate(steps):
        op = OPS[params.op]
        gate, *rest = fractions[number]
        drawn: dict[str, Drawn] = {
            name: kind.draw(getattr(params, name), fraction)
            for (name, kind), fraction in zip(drawn_fields(type(params)), rest, strict=False)
        }
        applies = gate < params.chance
        record.append({"step": number, "op": op.name, "applied": applies, "draws": drawn})
        if not applies:
            continue
        static = {name: getattr(params, name) for name in static_fields(type(params)) if name not in _RESAMPLER_FIELDS}
        fields = {**drawn, **static}
        canvas = _canvas(op, size, fields, number)
        applied.append(PlannedStep(number, op, params, fields, (noise[number][0], noise[number][1]), size, canvas))
        size = canvas
    return Plan(tuple(applied), variant.size, size, tuple(record))


def _canvas(op: Op, size: Size, fields: Mapping[str, Any], number: int) -> Size:
    if not isinstance(op.kind, Places) or op.kind.canvas is None:
        return size
    canvas = op.kind.canvas(size, **asked(op.kind.canvas, fields))
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
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {name: fields[name] for name in names if name in fields}
