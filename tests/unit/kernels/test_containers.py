"""Containers: branches taken as often as their weights say, by draws that nothing else moves, within bounds."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from kernels import augment, picks
from kernels.errors import RecipeInvalid
from kernels.explain import explain
from kernels.library import Augmented
from kernels.params import MAX_DEPTH, MAX_STEPS
from kernels.partners import Pool, choices, least_partners, most_partners
from kernels.plan import Plan, Variant, plan, plans
from kernels.recipe import Recipe, preorder
from kernels.tensors import Size
from tests.helpers.pictures import make_image
from tests.unit.kernels.test_bad_parameters import refused
from tests.unit.kernels.test_library import image

Step = dict[str, Any]
MANY = 4000
A: Step = {"op": "brightness", "factor": [0.5, 1.5]}
B: Step = {"op": "rotate", "degrees": [-9, 9]}
C: Step = {"op": "translate"}
TREE: list[Step] = [
    A,
    {"op": "one_of", "weights": [1, 2, 1], "steps": [B, {"op": "sequence", "steps": [C, A]}, {"op": "hflip"}]},
    {"op": "some_of", "n": [1, 2], "order": "shuffled", "steps": [A, B, C]},
    {"op": "repeat", "times": [1, 3], "steps": [{"op": "random_order", "steps": [B, {"op": "solarize", "chance": 0.5}]}]},
    {"op": "sometimes", "steps": [C, {"op": "hflip", "chance": 0.3}]},
    B,
]


def many(*steps: Step, count: int = MANY) -> list[Plan]:
    """Plans of many pictures."""
    return plans(Recipe.parse({"steps": list(steps)}), 7, [Variant(key, 0, Size(8, 9)) for key in range(count)])


def taken(*steps: Step, number: int = 0, count: int = MANY) -> list[tuple[int, ...] | None]:
    """What a container let through, for many pictures; None where it was skipped."""
    records = [made.draws[number] for made in many(*steps, count=count)]
    return [tuple(each["taken"]) if each["applied"] else None for each in records]


def as_often(counts: Counter[Any], shares: dict[Any, float]) -> None:
    """Within five standard deviations."""
    total = counts.total()
    assert set(counts) <= set(shares)
    for outcome, share in shares.items():
        assert abs(counts[outcome] - share * total) <= 5 * math.sqrt(total * share * (1 - share)), (outcome, counts)


# ------------------------------------------------------------------------------------------------ how often
def test_one_of_takes_one_by_weights() -> None:
    as_often(Counter(taken({"op": "one_of", "steps": [A, B, C]})), {(n,): 1 / 3 for n in (1, 2, 3)})
    weighed = {"op": "one_of", "steps": [A, B, C], "weights": [1, 0, 3]}
    as_often(Counter(taken(weighed)), {(1,): 0.25, (3,): 0.75})


def test_some_of_takes_some_by_weights_each_once() -> None:
    found = taken({"op": "some_of", "n": [0, 3], "steps": [A, B, C]})
    assert all(numbers is not None and list(numbers) == sorted(set(numbers)) for numbers in found)
    as_often(Counter(len(numbers or ()) for numbers in found), dict.fromkeys(range(4), 0.25))
    pairs = Counter(numbers for numbers in found if numbers is not None and len(numbers) == 2)
    as_often(pairs, dict.fromkeys([(1, 2), (1, 3), (2, 3)], 1 / 3))
    # without return: the first is the second with 3/4, then the first or third with 1/2; and so on
    weighed = {"op": "some_of", "n": 2, "steps": [A, B, C], "weights": [1, 6, 1]}
    either = 6 / 8 * 1 / 2 + 1 / 8 * 6 / 7
    as_often(Counter(taken(weighed)), {(1, 2): either, (2, 3): either, (1, 3): 2 * 1 / 8 * 1 / 7})


def test_some_of_takes_no_more_than_there_are() -> None:
    assert set(taken({"op": "some_of", "n": 64, "steps": [A, B]}, count=50)) == {(1, 2)}
    assert set(taken({"op": "some_of", "n": 2, "steps": [A, B, C], "weights": [0, 1, 0]}, count=50)) == {(2,)}


@pytest.mark.parametrize(
    "container", [{"op": "random_order"}, {"op": "some_of", "n": 3, "order": "shuffled", "weights": [5, 1, 1]}]
)
def test_every_order_is_as_likely(container: Step) -> None:
    orders = list(itertools.permutations((1, 2, 3)))
    as_often(Counter(taken({**container, "steps": [A, B, C]})), dict.fromkeys(orders, 1 / 6))


def test_sometimes_is_all_or_nothing() -> None:
    as_often(Counter(taken({"op": "sometimes", "steps": [A, B]})), {(1, 2): 0.5, None: 0.5})
    as_often(Counter(taken({"op": "sometimes", "chance": 0.2, "steps": [A]})), {(1,): 0.2, None: 0.8})


def test_repeat_has_draws_of_its_own_each_time() -> None:
    found = many({"op": "repeat", "times": [1, 3], "steps": [B]})
    as_often(Counter(len(made.steps) for made in found), dict.fromkeys((1, 2, 3), 1 / 3))
    drawn = [[step.fields["degrees"] for step in made.steps] for made in found]
    assert all(len(set(each)) == len(each) for each in drawn)
    firsts, seconds = zip(*[each[:2] for each in drawn if len(each) > 1], strict=True)
    assert abs(np.corrcoef(firsts, seconds)[0, 1]) < 0.1


def test_gates_inside_a_branch_are_their_own() -> None:
    """A branch is taken with 1/2, its step applied with 1/4 of that."""
    gated = {"op": "one_of", "steps": [{**A, "chance": 0.25}, B]}
    run = Counter(tuple(step.number for step in made.steps) for made in many(gated))
    as_often(run, {(1,): 1 / 8, (): 3 / 8, (2,): 1 / 2})


def test_picks_are_right_at_the_ends() -> None:
    last = 1 - 2.0**-24
    assert picks.weighed([0, 2, 0], 0.0) == picks.weighed([0, 2, 0], last) == 1
    assert picks.weighed([0.1] * 10, last) == 9
    assert picks.weighed([1e6, 1e-6], last) == 0
    assert picks.weighed_without_return([1, 0, 1], [last, last, last]) == [2, 0]
    assert picks.shuffled([7], []) == [7]
    assert sorted(picks.shuffled(range(5), [last] * 4)) == list(range(5))


# ------------------------------------------------------------------------------------------------ what moves a draw
def draws(made: Plan) -> dict[int, Any]:
    return {each["step"]: each["draws"] for each in made.draws}


def test_every_step_is_recorded_and_only_what_is_reached_is_applied() -> None:
    for made in many(*TREE, count=40):
        assert json.loads(json.dumps(made.draws)) == list(made.draws)
        assert [each["step"] for each in made.draws] == list(range(len(made.draws)))
        assert [each["op"] for each in made.draws] == [step.op for step in preorder(Recipe.parse({"steps": TREE}).steps)]
        reached = list(walked(made, [0, 1, 7, 11, 21, 24]))
        assert [step.number for step in made.steps] == reached
        assert {each["step"] for each in made.draws if each["applied"] and "taken" not in each} == set(reached)


def walked(made: Plan, numbers: list[int]) -> Iterator[int]:
    for number in numbers:
        each = made.draws[number]
        if "taken" in each:
            yield from walked(made, each["taken"])
        elif each["applied"]:
            yield number


def test_flat_recipes_draw_as_ever_and_a_container_behind_moves_none() -> None:
    flat, followed = many(A, B, C, count=20), many(A, B, C, *TREE[1:], count=20)
    assert [made.draws for made in flat] == [made.draws[:3] for made in followed]


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": [9, 0, 1]},
        {"chance": 0.0},
        {"steps": [{**B, "chance": 0.0}, *TREE[1]["steps"][1:]]},
        {"steps": [{"op": "hue"}, *TREE[1]["steps"][1:]]},
    ],
)
def test_a_branch_that_changes_moves_no_draw_of_another(changed: Step) -> None:
    before, after = many(*TREE, count=20), many(A, {**TREE[1], **changed}, *TREE[2:], count=20)
    for one, other in zip(before, after, strict=True):
        assert {n: d for n, d in draws(one).items() if n != 2} == {n: d for n, d in draws(other).items() if n != 2}
        assert one.draws[7:] == other.draws[7:]


def test_fewer_repetitions_leave_the_draws_of_those_that_stay() -> None:
    more, fewer = (many({"op": "repeat", "times": times, "steps": [B, C]}, count=20) for times in (3, 2))
    for one, other in zip(more, fewer, strict=True):
        assert [draws(one)[number] for number in range(1, 5)] == [draws(other)[number] for number in range(1, 5)]


def test_the_company_in_a_micro_batch_changes_nothing() -> None:
    recipe = Recipe.parse({"steps": TREE})
    variants = [Variant(key, variant, Size(20 + key, 30)) for key in range(6) for variant in range(2)]
    together, backwards = plans(recipe, 5, variants), plans(recipe, 5, variants[::-1])[::-1]
    for variant, one, other in zip(variants, together, backwards, strict=True):
        alone = plan(recipe, 5, variant.key, variant.variant, variant.size)
        assert one.draws == other.draws == alone.draws
        assert one.steps == other.steps == alone.steps


def test_known_draws_of_a_tree() -> None:
    """Pinned: they must never change."""
    made = plan(Recipe.parse({"steps": TREE}), 7, "cat.jpg", 3, Size(32, 40))
    assert {each["step"]: each["taken"] for each in made.draws if "taken" in each} == KNOWN_TAKEN
    assert draws(made)[24] == KNOWN_LAST


KNOWN_TAKEN = {1: [6], 7: [9], 11: [12], 12: [13, 14], 21: [22, 23]}
KNOWN_LAST = {"degrees": 5.459999084472656}


# ------------------------------------------------------------------------------------------------ pixels and labels
def test_results_are_those_of_the_branch_written_out() -> None:
    """With the same numbers, fixed: through the library, in any company."""
    pictures = [make_image(40 + n, 50, seed=n) for n in range(6)]
    document = {"steps": [{"op": "one_of", "steps": [{"op": "hflip"}, {"op": "vflip"}, {"op": "invert"}]}]}
    outputs = augment(pictures, document, seed=3)
    ways: list[Callable[[Any], Any]] = [lambda p: p[:, ::-1], lambda p: p[::-1], lambda p: 255 - p]
    assert len({tuple(output.draws[0]["taken"]) for output in outputs}) > 1
    for picture, output in zip(pictures, outputs, strict=True):
        (number,) = output.draws[0]["taken"]
        assert np.array_equal(image(output), ways[number - 1](picture))
    backwards = augment(pictures[::-1], document, seed=3, keys=list(range(6))[::-1])[::-1]
    assert all(np.array_equal(image(one), image(other)) for one, other in zip(outputs, backwards, strict=True))


def test_orders_are_carried_out() -> None:
    """To brighten and then to invert is not to invert and then to brighten."""
    steps = [{"op": "brightness", "factor": 0.5}, {"op": "invert"}]
    outputs = augment([make_image()] * 12, {"steps": [{"op": "random_order", "steps": steps}]}, seed=3)
    assert len({tuple(output.draws[0]["taken"]) for output in outputs}) == 2
    for output in outputs:
        first = output.draws[0]["taken"][0]
        expected = 255 - make_image() * 0.5 if first == 1 else (255 - make_image()) * 0.5
        assert np.abs(image(output) - expected).max() <= 0.51


def test_labels_follow_the_branch_that_is_taken() -> None:
    document = {"steps": [{"op": "one_of", "steps": [{"op": "hflip"}, {"op": "sequence", "steps": [{"op": "vflip"}, A]}]}]}
    box = {"boxes": {"values": [[2, 3, 10, 12]]}}
    outputs = augment([make_image(20, 30)] * 8, document, seed=3, labels=[box] * 8)
    found = {tuple(output.draws[0]["taken"]): boxes_of(output) for output in outputs}
    assert found == {(1,): [[20.0, 3.0, 28.0, 12.0]], (2,): [[2.0, 8.0, 10.0, 17.0]]}


def boxes_of(output: Augmented) -> list[list[float]]:
    assert output.labels is not None
    assert output.labels.boxes is not None
    return [list(value) for value in output.labels.boxes.values]


def test_canvases_grow_through_branches() -> None:
    pad = {"op": "pad", "left": 2, "top": 0, "right": 0, "bottom": 0}
    found = many({"op": "repeat", "times": [1, 3], "steps": [pad]}, count=60)
    assert {made.size_out.width for made in found} == {11, 13, 15}
    huge = {"op": "sequence", "steps": [{"op": "hflip"}, {"op": "repeat", "times": 2, "steps": [{**pad, "left": 16_000}]}]}
    with pytest.raises(RecipeInvalid, match="16384") as caught:
        many({"op": "hflip"}, huge, count=1)
    assert caught.value.pointer == "/steps/1/steps/1/steps/0"


# ------------------------------------------------------------------------------------------------ partners
MIXED: Step = {
    "op": "one_of",
    "steps": [{"op": "mosaic", "size": [20, 20]}, {"op": "hflip"}, {"op": "mixup", "chance": 0.5}],
}


def test_partners_are_those_of_the_steps_that_are_reached() -> None:
    recipe = Recipe.parse({"steps": [{"op": "hflip"}, MIXED, {"op": "mixup"}]})
    assert (least_partners(recipe), most_partners(recipe)) == (1, 4)
    variants = [Variant(key, 0, Size(8, 9)) for key in range(60)]
    pool = Pool(range(60))
    found = choices(recipe, 7, variants, pool)
    for made, chosen in zip(plans(recipe, 7, variants, pool), found, strict=True):
        assert {step.number: step.partners for step in made.steps if step.partners} == chosen
        assert {each["step"] for each in made.draws if "partners" in each} == set(chosen)
    assert {tuple(chosen) for chosen in found} == {(2, 5), (5,), (4, 5)}


def test_pictures_are_mixed_within_a_branch() -> None:
    pictures = [make_image(24, 24, seed=n) for n in range(8)]
    outputs = augment(pictures, {"steps": [MIXED]}, seed=3)
    assert all(output.error is None for output in outputs)
    assert {image(output).shape for output in outputs} == {(20, 20, 3), (24, 24, 3)}


def test_a_picture_without_company_is_told_where_it_is_needed() -> None:
    recipe = Recipe.parse({"steps": [{"op": "sequence", "steps": [{"op": "hflip"}, {"op": "mixup"}]}]})
    with pytest.raises(RecipeInvalid) as caught:
        plan(recipe, 7, 0, 0, Size(8, 8), Pool([0]))
    assert caught.value.pointer == "/steps/0/steps/1"


# ------------------------------------------------------------------------------------------------ documents and bounds
def test_documents_survive_and_digests_tell_trees_apart() -> None:
    recipe = Recipe.parse({"steps": TREE})
    document = json.loads(json.dumps(recipe.document()))
    assert Recipe.parse(document) == recipe
    assert Recipe.parse(document).digest == recipe.digest
    assert document["steps"][1]["steps"][1]["steps"][1]["factor"] == [0.5, 1.5]
    assert document["steps"][2]["weights"] == [1.0, 1.0, 1.0]
    others = [[*TREE[:2], *TREE[3:]], [A, {**TREE[1], "weights": [1, 2, 2]}, *TREE[2:]]]
    assert len({recipe.digest, *(Recipe.parse({"steps": steps}).digest for steps in others)}) == 3


def chained(depth: int, inside: Step | None = None) -> Step:
    """Containers within each other."""
    step = inside or {"op": "hflip"}
    for _ in range(depth):
        step = {"op": "sequence", "steps": [step]}
    return step


def wide(depth: int, width: int) -> Step:
    return {"op": "hflip"} if depth == 0 else {"op": "one_of", "steps": [wide(depth - 1, width)] * width}


REFUSED: dict[str, tuple[Step, str]] = {
    "one_too_deep": (chained(MAX_DEPTH + 1), "/steps/0" + "/steps/0" * MAX_DEPTH),
    "thousands_deep": (chained(5_000), "/steps/0"),
    "millions_in_all": (wide(MAX_DEPTH, 60), "/steps/0"),
    "repeats_in_repeats": (
        {"op": "repeat", "times": 63, "steps": [{"op": "repeat", "times": 63, "steps": [A]}]},
        "/steps",
    ),
    "one_repetition_too_many": ({"op": "repeat", "times": [0, 32], "steps": [A, B]}, "/steps"),
    "no_steps": ({"op": "one_of", "steps": []}, "/steps/0/steps"),
    "steps_left_out": ({"op": "one_of"}, "/steps/0"),
    "steps_as_object": ({"op": "one_of", "steps": {"op": "hflip"}}, "/steps/0/steps"),
    "unknown_inside": ({"op": "one_of", "steps": [A, {"op": "hflop"}]}, "/steps/0/steps/1/op"),
    "wrong_inside": ({"op": "one_of", "steps": [A, {"op": "rotate", "degrees": 999}]}, "/steps/0/steps/1/degrees"),
    "weights_too_few": ({"op": "one_of", "steps": [A, B], "weights": [1]}, "/steps/0/weights"),
    "weights_all_0": ({"op": "some_of", "steps": [A, B], "weights": [0, 0]}, "/steps/0/weights"),
    "weight_below_0": ({"op": "one_of", "steps": [A, B], "weights": [1, -1]}, "/steps/0/weights/1"),
    "steps_of_a_step": ({"op": "hflip", "steps": [A]}, "/steps/0/steps"),
    "order": ({"op": "some_of", "steps": [A], "order": "any"}, "/steps/0/order"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_tree_is_refused_soon(case: str) -> None:
    step, pointer = REFUSED[case]
    refused({"steps": [step]}, pointer)


def test_the_bounds_themselves_are_allowed() -> None:
    assert Recipe.parse({"steps": [chained(MAX_DEPTH)]})
    longest = Recipe.parse({"steps": [{"op": "repeat", "times": MAX_STEPS - 1, "steps": [A]}]})
    assert len(plan(longest, 0, 0, 0, Size(8, 8)).steps) == MAX_STEPS - 1


# ------------------------------------------------------------------------------------------------ explained
def test_branches_are_explained() -> None:
    document = explain(Recipe.parse({"steps": TREE}), Size(64, 64))
    assert json.loads(json.dumps(document)) == document
    assert [(each["step"], each["inside"], each["says"]) for each in document["branches"]] == [
        (1, [2, 3, 6], "carries out 1 of the 3 steps in it"),
        (7, [8, 9, 10], "carries out 1 to 2 of the 3 steps in it"),
        (11, [12, 15, 18], "carries out 1 to 3 of the 3 steps in it"),
    ]
    assert {each["step"] for each in document["chances"]} == {14, 17, 20, 21, 23}


def test_the_schema_of_a_recipe_leads_into_containers() -> None:
    schema = Recipe.model_json_schema()
    step = schema["$defs"]["Step"]
    forms = {form["properties"]["op"]["const"]: form for form in step["oneOf"]}
    assert schema["properties"]["steps"]["items"] == {"$ref": "#/$defs/Step"}
    assert forms["one_of"]["properties"]["steps"]["items"] == {"$ref": "#/$defs/Step"}
    assert forms["repeat"]["required"] == ["steps"]
    assert "steps" not in forms["hflip"]["properties"]
