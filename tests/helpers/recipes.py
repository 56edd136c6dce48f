"""Random steps and recipes of every operation, for seeded fuzzing: whatever an operation's fields allow."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from kernels.op import Blend, Container, Field, Mix, Op, Places, Policy, Within
from kernels.ops import OPS
from kernels.params import Choice, Integer, Warp, drawn_fields

Step = dict[str, Any]
BORDERS = ("constant", "replicate", "reflect", "wrap")
MOVING = tuple(op for op in OPS.values() if isinstance(op.kind, Places | Field) and op.aim is None)
"""Operations that move pixels, whatever the labels."""
COMPOSED = tuple(op for op in OPS.values() if isinstance(op.kind, Container | Within | Policy | Blend))
"""Operations that are made of others, by steps inside or made up."""
ALONE = tuple(op for op in OPS.values() if op not in COMPOSED and not isinstance(op.kind, Mix))
"""Operations that need no other picture, and are no others."""
_LARGEST_WINDOW = 24


def any_step(rng: random.Random, op: Op, gated: bool = True) -> Step:
    """A step with ranges anywhere within what the operation allows; sizes and windows small, to be quick."""
    step: Step = {**required(op), "op": op.name}
    if gated:
        step["chance"] = rng.choice([1.0, 1.0, 0.5])
    for name, kind in drawn_fields(op.params):
        if isinstance(kind, Choice):
            step[name] = rng.sample(kind.names, rng.randint(1, len(kind.names)))
        elif isinstance(kind, Integer):
            most = min(kind.maximum, _LARGEST_WINDOW) if name == "size" else min(kind.maximum, 300)
            step[name] = sorted(rng.randint(max(kind.minimum, -300), most) for _ in range(2))
        else:
            step[name] = sorted(rng.uniform(kind.minimum, kind.maximum) for _ in range(2))
    static = [name for name in op.params.model_fields if name not in dict(drawn_fields(op.params))]
    if "size" in static:
        step["size"] = [rng.randint(1, 90), rng.randint(1, 90)]
    for name in ("left", "top", "right", "bottom"):
        if name in static:
            step[name] = rng.randint(0, 30)
    for name in ("max_size", "longest"):
        if name in static:
            step[name] = rng.randint(1, 90)
    if "color" in static:
        step["color"] = [round(rng.random(), 3) for _ in range(3)]
    if issubclass(op.params, Warp):
        step["border"] = rng.choice(BORDERS)
        step["fill"] = [round(rng.random(), 3) for _ in range(3)]
    return step


def any_recipe(rng: random.Random, most: int = 6, among: Sequence[Op] = ALONE) -> list[Step]:
    """1 to `most` random steps."""
    return [any_step(rng, rng.choice(among)) for _ in range(rng.randint(1, most))]


def required(op: Op) -> Step:
    """The fields without a default, from the first example, as they are written in a recipe."""
    document = op.examples[0].model_dump(mode="json")
    return {name: document[name] for name, field in op.params.model_fields.items() if field.is_required()}
