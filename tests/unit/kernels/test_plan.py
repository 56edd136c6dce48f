"""Plans: every number drawn by its place alone, sizes known before a pixel is touched."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kernels import rng
from kernels.errors import RecipeInvalid
from kernels.params import Params
from kernels.plan import Variant, plan, plans
from kernels.recipe import Output, Recipe, preorder
from kernels.tensors import Size
from tests.helpers.pictures import make_plan

STEPS = [
    {"op": "rotate", "degrees": [-10, 10]},
    {"op": "hflip", "chance": 0.5},
    {"op": "translate", "x": [0, 1], "y": [0, 1], "x_pixels": [0, 9], "y_pixels": [0, 9]},
]


def fraction(seed: int, key: int, variant: int, step: int, draw: int) -> float:
    """A draw by the layout that the design promises, one number at a time."""
    counter = np.array([(draw // 4) << 16 | step, variant, key & 0xFFFFFFFF, key >> 32], dtype=np.uint64)
    return int(rng.philox(counter, seed)[draw % 4] >> np.uint64(8)) * 2.0**-24


def test_draws_follow_the_promised_layout() -> None:
    seed, key, variant = 2**53 - 1, 2**63 + 12345, 11
    first, second, third = make_plan(STEPS, (32, 40), seed, key, variant).draws
    assert first["draws"]["degrees"] == -10 + 20 * fraction(seed, key, variant, 0, 1)
    assert second["applied"] == (fraction(seed, key, variant, 1, 0) < 0.5)
    # draw 0 is the gate, so the fourth drawn field is the first draw of the second block
    assert third["draws"] == {
        "x": fraction(seed, key, variant, 2, 1),
        "y": fraction(seed, key, variant, 2, 2),
        "x_pixels": int(10 * fraction(seed, key, variant, 2, 3)),
        "y_pixels": int(10 * fraction(seed, key, variant, 2, 4)),
    }


def test_known_draws() -> None:
    """Pinned numbers: they must never change."""
    drawn = make_plan(STEPS, (32, 40), seed=7, key="cat.jpg", variant=3)
    assert json.loads(json.dumps(drawn.draws)) == KNOWN
    assert drawn.steps[0].noise_seed == KNOWN_NOISE_SEED


KNOWN = [
    {"step": 0, "op": "rotate", "applied": True, "draws": {"degrees": -5.256597995758057}},
    {"step": 1, "op": "hflip", "applied": True, "draws": {}},
    {
        "step": 2,
        "op": "translate",
        "applied": True,
        "draws": {"x": 0.9652919173240662, "y": 0.455049991607666, "x_pixels": 9, "y_pixels": 1},
    },
]
KNOWN_NOISE_SEED = (3086742507, 266061633)


def test_a_plan_alone_is_the_plan_among_others() -> None:
    recipe = Recipe.parse({"steps": STEPS})
    variants = [Variant(key, variant, Size(20, 30 + key)) for key in range(3) for variant in range(2)]
    together = plans(recipe, 5, variants)
    assert [each.draws for each in together] == [
        plan(recipe, 5, each.key, each.variant, each.size).draws for each in variants
    ]


def test_a_skipped_step_still_owns_its_draws() -> None:
    gated = [{**STEPS[0], "chance": 0.0}, *STEPS[1:]]
    assert make_plan(gated, (9, 9)).draws[1:] == make_plan(STEPS, (9, 9)).draws[1:]
    assert make_plan(gated, (9, 9)).draws[0]["draws"] == make_plan(STEPS, (9, 9)).draws[0]["draws"]


def test_a_step_in_front_takes_a_number_but_the_seed_keeps_all_apart() -> None:
    drawn = {
        make_plan(STEPS, (9, 9), seed, key, variant).draws[0]["draws"]["degrees"]
        for seed in range(3)
        for key in range(3)
        for variant in range(3)
    }
    assert len(drawn) == 27


def test_step_numbers_are_preorder_places() -> None:
    class Container(Params):
        op: str = "container"
        steps: tuple[Params, ...] = ()

        def children(self) -> tuple[Params, ...]:
            return self.steps

    leaf = [Params(op=name) for name in "abcd"]
    tree = (leaf[0], Container(steps=(leaf[1], Container(steps=(leaf[2],)))), leaf[3])
    assert [step.op for step in preorder(tree)] == ["a", "container", "b", "container", "c", "d"]


def test_sizes_are_followed() -> None:
    steps = [
        {"op": "resize", "size": [10, 20]},
        {"op": "pad", "left": 1, "top": 2, "right": 3, "bottom": 4},
        {"op": "hflip"},
    ]
    planned = make_plan(steps, (32, 40))
    assert [step.size_out for step in planned.steps] == [(10, 20), (16, 24), (16, 24)]
    assert planned.size_out == Size(16, 24)


def test_a_canvas_that_is_too_large_is_refused() -> None:
    with pytest.raises(RecipeInvalid, match="16384") as caught:
        make_plan([{"op": "hflip"}, {"op": "pad", "left": 16_000}], (8, 1000))
    assert caught.value.pointer == "/steps/1"


@pytest.mark.parametrize("seed", [-1, 2**53])
def test_a_seed_outside_its_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        make_plan([], (8, 8), seed=seed)


def test_the_same_steps_with_another_output_have_another_digest() -> None:
    recipe = Recipe.parse({"steps": [{"op": "hflip"}], "output": {"format": "png"}, "labels": {"min_visible": 0.5}})
    before = recipe.digest
    other = recipe.with_output(Output(format="webp"))

    assert other.digest == Recipe.parse(other.document()).digest != before
    assert (other.output.format, other.labels, recipe.output.format) == ("webp", recipe.labels, "png")
