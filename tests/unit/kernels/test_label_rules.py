"""Label rules: each filter with its reason, outlines that are not clipped, and that every label is accounted for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kernels.errors import RecipeInvalid
from kernels.label_moves import moved
from kernels.label_rules import LabelRules
from kernels.labels import Labels
from kernels.recipe import Recipe
from kernels.tensors import Size
from tests.helpers.pictures import made_labels
from tests.helpers.recipes import MOVING, any_step

SIZE = Size(100, 200)
ALL = {"min_visible": 0, "min_side": 0, "min_area": 0}
LEFT_90 = [{"op": "translate", "x": 0, "y": 0, "x_pixels": -90}]


@pytest.mark.parametrize(
    ("box", "rules", "reason"),
    [
        ([0, 0, 90, 50], ALL, "outside"),
        ([0, 0, 99, 50], {"min_visible": 0.1}, "low_visibility"),
        ([0, 0, 100, 50], {"min_visible": 0.1}, None),
        ([89.5, 0, 90.9, 50], {"min_side": 1.0}, "too_small"),
        ([89.5, 0, 91.0, 50], {"min_side": 1.0}, None),
        ([90, 0, 100, 50], {"min_area": 500.1}, "low_area"),
        ([90, 0, 100, 50], {"min_area": 500}, None),
        ([85, 0, 90.25, 50], ALL, None),
    ],
)
def test_each_filter_has_a_reason_of_its_own(box: list[float], rules: dict[str, Any], reason: str | None) -> None:
    left, top, right, bottom = box
    ring = [[left, top], [right, top], [right, bottom], [left, bottom]]
    result = made_labels(SIZE, {"boxes": {"values": [box]}, "polygons": [{"points": ring}]}, LEFT_90, rules=rules)
    lost = {one["kind"]: one["reason"] for one in result.get("dropped", [])}
    assert lost == ({} if reason is None else {"box": reason, "polygon": reason})
    assert len(result["boxes"]["values"]) == len(result.get("polygons", [])) == (reason is None)


def test_an_area_is_the_outlines_own() -> None:
    triangle = {"polygons": [{"points": [[0, 0], [20, 0], [0, 20]]}], "boxes": {"values": [[0, 0, 20, 20]]}}
    result = made_labels(SIZE, triangle, [], rules={"min_area": 300})
    assert result["dropped"] == [{"kind": "polygon", "index": 0, "reason": "low_area"}]
    assert result["boxes"]["values"] == [[0, 0, 20, 20]]


def test_outlines_without_clip_hang_over_the_edge() -> None:
    labels = {
        "boxes": {"values": [[80, 10, 120, 50], [0, 0, 85, 50]]},
        "polygons": [{"points": [[100, 0], [110, 20], [90, 40], [80, 20]]}],
    }
    result = made_labels(SIZE, labels, LEFT_90, rules={"clip": False})
    assert result["boxes"]["values"] == [[-10, 10, 30, 50]]
    assert result["polygons"][0]["points"] == [[10, 0], [20, 20], [0, 40], [-10, 20]]
    assert result["dropped"] == [{"kind": "box", "index": 1, "reason": "outside"}]
    yolo = {"boxes": {"format": "yolo", "values": [[0.5, 0.3, 0.2, 0.4]]}}
    assert made_labels(SIZE, yolo, LEFT_90, rules={"clip": False})["boxes"]["values"] == [[0.075, 0.3, 0.15, 0.4]]


def test_an_oriented_box_keeps_its_four_corners_under_matrices() -> None:
    oriented = {"polygons": [{"points": [[100, 20], [130, 40], [110, 70], [80, 50]], "class": "ship"}]}
    turned = made_labels(SIZE, oriented, [{"op": "rotate", "degrees": 30}, {"op": "perspective"}])
    assert len(turned["polygons"][0]["points"]) == 4
    cut = made_labels(SIZE, oriented, LEFT_90)
    assert cut["polygons"][0]["points"] == [[0, 35], [10, 20], [40, 40], [20, 70], [0, 56.6667]]
    whole = made_labels(SIZE, oriented, LEFT_90, rules={"clip": False})
    assert whole["polygons"][0]["points"] == [[10, 20], [40, 40], [20, 70], [-10, 50]]


def test_what_another_step_paints_over_stays() -> None:
    labels = {
        "boxes": {"format": "xyxy", "values": [[90.0, 40.0, 110.0, 60.0]]},
        "keypoints": [{"points": [[100.0, 50.0, 2.0]]}],
    }
    hidden = [{"op": "cutout", "area": 0.5, "across": 0.5, "down": 0.5}]
    assert made_labels(SIZE, labels, hidden) == labels


def test_an_object_without_points_stays_as_it_is() -> None:
    empty = {"keypoints": [{"points": [[3, 4, 0], [0, 0, 0]]}]}
    assert made_labels(SIZE, empty, LEFT_90) == {"keypoints": [{"points": [[0, 0, 0], [0, 0, 0]]}]}


def test_the_rules_are_part_of_the_digest() -> None:
    plain, spelt = Recipe.parse({}), Recipe.parse({"labels": {"min_visible": 0.1, "min_side": 1}})
    assert plain.digest == spelt.digest
    assert plain.digest != Recipe.parse({"labels": {"min_visible": 0.2}}).digest
    assert Recipe.parse(plain.document()) == plain


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        (3, "/recipe/labels"),
        ({"min_visble": 0.1}, "/recipe/labels/min_visble"),
        ({"min_visible": 1.01}, "/recipe/labels/min_visible"),
        ({"min_visible": float("nan")}, "/recipe/labels/min_visible"),
        ({"min_side": -1}, "/recipe/labels/min_side"),
        ({"min_area": "9"}, "/recipe/labels/min_area"),
        ({"clip": 1}, "/recipe/labels/clip"),
    ],
)
def test_wrong_rules_are_refused_at_their_place(rules: object, pointer: str) -> None:
    with pytest.raises(RecipeInvalid) as caught:
        Recipe.parse({"labels": rules}, "/recipe")
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("seed", range(60))
def test_every_label_is_kept_or_dropped_with_a_reason(seed: int) -> None:
    rng = random.Random(seed)
    height, width = rng.choice([(1, 1), (40, 60), (333, 20)])
    steps = [any_step(rng, rng.choice(MOVING)) for _ in range(rng.randint(0, 5))]
    rules = {
        "clip": rng.random() < 0.5,
        "min_visible": rng.choice([0, rng.random()]),
        "min_side": rng.choice([0, 20 * rng.random()]),
        "min_area": rng.choice([0, 300 * rng.random()]),
    }

    def point() -> list[float]:
        return [rng.uniform(-0.5 * width, 1.5 * width), rng.uniform(-0.5 * height, 1.5 * height)]

    boxes = []
    for _ in range(6):
        (left, top), (right, bottom) = point(), point()
        boxes.append([min(left, right), min(top, bottom), max(left, right), max(top, bottom)])
    boxes.append([0.0, 0.0, width, height])
    boxes.append([0.5, 0.5, 0.5, 0.5])  # a box without extent
    labels = {
        "boxes": {"values": boxes, "classes": list(range(8))},
        "polygons": [{"points": [point() for _ in range(rng.randint(3, 7))], "class": place} for place in range(5)],
        "keypoints": [
            {"points": [[*point(), rng.choice([0, 1, 2])] for _ in range(4)], "class": place} for place in range(5)
        ],
    }
    result = made_labels((height, width), labels, steps, seed=seed, rules=rules)
    for kind, count, kept in (
        ("box", 8, result["boxes"]["classes"]),
        ("polygon", 5, [one["class"] for one in result.get("polygons", [])]),
        ("keypoints", 5, [one["class"] for one in result.get("keypoints", [])]),
    ):
        lost = [one["index"] for one in result.get("dropped", []) if one["kind"] == kind]
        assert sorted(kept + lost) == list(range(count))
        assert kept == sorted(kept)
    if rules == {"clip": rules["clip"], **ALL}:
        assert {one["reason"] for one in result.get("dropped", [])} <= {"outside"}


def test_moved_needs_nothing_but_its_arguments() -> None:
    labels = Labels.parse({"boxes": {"values": [[0, 0, 4, 4]]}}, SIZE)
    assert moved(labels, (), SIZE, SIZE, LabelRules(min_area=17.0)).document()["dropped"] == [
        {"kind": "box", "index": 0, "reason": "low_area"}
    ]
