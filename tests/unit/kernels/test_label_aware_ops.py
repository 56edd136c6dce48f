"""Operations that look at labels: what they keep, hide and show; and that labels are a cause like the picture itself."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kernels import Augmented, augment
from kernels.labels import Labels, read_mask, write_mask
from kernels.ops import OPS
from kernels.tensors import Size
from tests.helpers.pictures import labels_of, made, made_labels, make_image
from tests.helpers.recipes import any_step

SIZE = Size(60, 90)
PICTURE = make_image(*SIZE)
BOXES = [[10, 8, 30, 28], [50, 30, 80, 55], [20, 35, 28, 50]]
LABELS = {"boxes": {"values": BOXES, "classes": ["cat", "dog", "cat"]}}


def augmented(steps: Sequence[Mapping[str, Any]], labels: Any = LABELS, variants: int = 12, **more: Any) -> list[Augmented]:
    return augment([PICTURE], {"steps": list(steps), **more}, seed=5, variants=variants, labels=[labels])


def boxes(output: Augmented) -> list[tuple[float, ...]]:
    assert output.labels is not None
    assert output.labels.boxes is not None
    return list(output.labels.boxes.values)


def areas(found: Sequence[Sequence[float]]) -> list[float]:
    return [(c - a) * (d - b) for a, b, c, d in found]


def at(output: Augmented) -> Any:
    """What the last step found out about the labels."""
    return output.draws[-1]["aimed"]


def test_a_safe_crop_cuts_off_and_keeps_all_objects_whole() -> None:
    sizes = set()
    for output in augmented([{"op": "box_safe_crop"}]):
        assert output.labels is not None
        assert not output.labels.dropped
        assert areas(boxes(output)) == pytest.approx(areas(BOXES))
        assert output.image is not None
        sizes.add(tuple(output.image.shape))
    assert len(sizes) > 8, "it does cut"


def test_a_safe_crop_sees_labels_as_the_steps_before_it_leave_them() -> None:
    turned = {"op": "rotate_expand", "degrees": [20, 70]}
    for before, after in zip(
        augmented([turned]), augmented([turned, {"op": "box_safe_crop"}, {"op": "hflip"}]), strict=True
    ):
        assert areas(boxes(after)) == pytest.approx(areas(boxes(before)), rel=1e-3)
        assert after.image is not None
        assert before.image is not None
        assert after.image.numel() < before.image.numel()


def test_a_safe_crop_of_one_object_keeps_one_whole_and_comes_to_each() -> None:
    kept = set()
    for output in augmented(
        [{"op": "box_safe_crop", "keep": "one", "left": 1, "top": 1, "right": 1, "bottom": 1}], variants=24
    ):
        whole = [n for n, box in enumerate(BOXES) if at(output)["window"] == box]
        assert len(whole) == 1, "all that may be cut off is: what is left is the object"
        kept.add(whole[0])
    assert kept == {0, 1, 2}


def test_a_safe_crop_may_cut_into_what_it_keeps() -> None:
    step = {"op": "box_safe_crop", "keep": "one", "erode": 0.5, "pick": 0, "left": 1, "top": 1, "right": 1, "bottom": 1}
    (output,) = augmented([step], variants=1)
    assert at(output)["window"] == [15, 13, 25, 23]


def test_classes_say_which_objects_are_looked_at() -> None:
    for output in augmented([{"op": "crop_near_box", "classes": ["dog"], "left": 0, "top": 0, "right": 0, "bottom": 0}]):
        assert torch.equal(output.image, torch.from_numpy(PICTURE[30:55, 50:80]))  # type: ignore[arg-type]
        assert boxes(output) == [(0.0, 0.0, 30.0, 25.0)]


def test_a_near_crop_reaches_beyond_and_into_its_object() -> None:
    step = {"op": "crop_near_box", "pick": 0, "left": 0.2, "top": -0.1, "right": 2, "bottom": 0.5}
    (output,) = augmented([step], variants=1)
    assert at(output)["window"] == [6, 10, 70, 38]


def test_a_crop_near_an_object_takes_a_single_point_only_where_there_is_nothing_larger() -> None:
    point = [{"points": [[40, 30, 2]]}]
    step = {"op": "crop_near_box", "left": 0, "top": 0, "right": 0, "bottom": 0}
    for output in augmented([step], {**LABELS, "keypoints": point}):
        assert at(output)["window"] in BOXES
        assert at(output)["objects"] == len(BOXES)
    for output in augmented([step], {"keypoints": [*point, {"points": [[40, 30, 2], [40, 50, 1]]}]}):
        assert at(output) == {"window": [40, 30, 41, 51], "objects": 1} or at(output) == {
            "window": [39, 29, 40, 50],
            "objects": 1,
        }
    for output in augmented([step], {"keypoints": point}):
        assert at(output)["objects"] == 1
        assert output.image is not None
        assert output.image.shape == (1, 1, 3)


def test_a_window_shows_an_object_whole_where_it_fits() -> None:
    kept = set()
    for output in augmented([{"op": "non_empty_crop", "size": [30, 32]}], variants=24):
        left, top = at(output)["corner"]
        whole = [n for n, (a, b, c, d) in enumerate(BOXES) if left <= a and top <= b and c <= left + 32 and d <= top + 30]
        assert at(output)["shown"] in [BOXES[n] for n in whole]
        kept.update(whole)
    assert kept == {0, 1, 2}


def test_a_window_smaller_than_its_object_lies_within_it() -> None:
    for output in augmented([{"op": "non_empty_crop", "size": [6, 5]}]):
        left, top = at(output)["corner"]
        a, b, c, d = at(output)["shown"]
        assert a <= left <= c - 5
        assert b <= top <= d - 6


def test_a_window_shows_some_of_a_mask_where_nothing_else_says_where_objects_are() -> None:
    classes = np.zeros(SIZE, np.uint8)
    classes[3, 80:88], classes[50:59, 2] = 1, 2
    seen = set()
    for output in augmented([{"op": "non_empty_crop", "size": [4, 4]}], {"mask": write_mask(classes)}, variants=24):
        assert output.labels is not None
        assert output.labels.mask is not None
        found = np.unique(read_mask(output.labels.mask))
        assert found.any(), "it is not empty"
        seen.update(found.tolist())
    assert seen == {0, 1, 2}


def test_without_labels_a_window_is_a_random_crop_and_a_safe_crop_holds_the_middle() -> None:
    place = {"size": [20, 30], "x": 0.3, "y": 0.8}
    for labels in (None, {}, {"boxes": {"values": []}}, {"mask": write_mask(np.zeros(SIZE, np.uint8))}):
        (plain,) = augmented([{"op": "non_empty_crop", **place}], labels, variants=1)
        assert np.array_equal(plain.image, made(PICTURE, [{"op": "random_crop", **place}]))  # type: ignore[arg-type]
        for output in augmented([{"op": "box_safe_crop"}], labels):
            left, top, right, bottom = at(output)["window"]
            assert left <= 45 < right
            assert top <= 30 < bottom


def test_dropped_objects_are_painted_over_and_lose_their_labels() -> None:
    mask = np.zeros(SIZE, np.uint8)
    for number, (a, b, c, d) in enumerate(BOXES, 1):
        mask[b:d, a:c] = number
    for output in augmented([{"op": "mask_dropout", "color": [1, 0, 0]}], {**LABELS, "mask": write_mask(mask)}):
        (lost,) = at(output)["objects"]
        a, b, c, d = BOXES[lost]
        expected, classes = PICTURE.copy(), mask.copy()
        expected[b:d, a:c], classes[b:d, a:c] = (255, 0, 0), 0
        assert np.array_equal(output.image, expected)  # type: ignore[arg-type]
        assert output.labels is not None
        assert boxes(output) == [tuple(map(float, box)) for n, box in enumerate(BOXES) if n != lost]
        assert [(one.kind, one.index, one.reason) for one in output.labels.dropped] == [("box", lost, "covered")]
        assert np.array_equal(read_mask(output.labels.mask), classes)  # type: ignore[arg-type]


def test_an_object_is_dropped_with_its_box_its_outline_and_its_points() -> None:
    labels = labels_of(SIZE)
    for output in augmented([{"op": "hflip"}, {"op": "mask_dropout"}, {"op": "rot90", "turns": 1}], labels.document()):
        (lost,) = at_step(output, 1)["objects"]
        assert output.labels is not None
        assert {(one.kind, one.index) for one in output.labels.dropped} == {
            (k, lost) for k in ("box", "polygon", "keypoints")
        }
        assert [one.category for one in output.labels.polygons] == ["ab"[1 - lost]]
        assert [one.category for one in output.labels.keypoints] == ["ab"[1 - lost]]


def test_only_labels_of_the_same_classes_are_taken_for_one_object() -> None:
    polygon = {"points": [[5, 5], [20, 5], [20, 20], [5, 20]], "class": "nose"}
    labels = {"boxes": {"values": [[40, 30, 60, 50]], "classes": ["eye"]}, "polygons": [polygon]}
    (output,) = augmented([{"op": "mask_dropout"}], labels, variants=1)
    assert output.labels is not None
    assert boxes(output) == [(40.0, 30.0, 60.0, 50.0)]
    assert [one.kind for one in output.labels.dropped] == ["polygon"]


def at_step(output: Augmented, number: int) -> Any:
    return output.draws[number]["aimed"]


def test_parts_of_a_mask_are_dropped_where_it_is_all_there_is() -> None:
    mask = np.zeros(SIZE, np.uint16)
    mask[5:20, 5:20], mask[30:40, 60:80], mask[50:55, 3:9] = 700, 700, 9
    whole = np.zeros(SIZE, bool)
    for output in augmented([{"op": "mask_dropout"}], {"mask": png16(mask)}, variants=24):
        assert output.labels is not None
        left = read_mask(output.labels.mask)  # type: ignore[arg-type]
        gone = left != mask
        assert (output.image.numpy()[gone] == 0).all()  # type: ignore[union-attr]
        assert np.array_equal(output.image.numpy()[~gone], PICTURE[~gone])  # type: ignore[union-attr]
        assert int(gone.sum()) in (225, 200, 30), "one connected part"
        whole |= gone
    assert np.array_equal(whole, mask != 0)
    (all_gone,) = augmented([{"op": "mask_dropout", "n": 50}], {"mask": png16(mask)}, variants=1)
    assert not read_mask(all_gone.labels.mask).any()  # type: ignore[union-attr, arg-type]
    (of_class,) = augmented([{"op": "mask_dropout", "n": 50, "classes": [9]}], {"mask": png16(mask)}, variants=1)
    assert set(np.unique(read_mask(of_class.labels.mask))) == {0, 700}  # type: ignore[union-attr, arg-type]


def png16(mask: Any) -> str:
    target = io.BytesIO()
    Image.fromarray(mask).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()


def test_without_labels_no_object_is_dropped() -> None:
    (output,) = augmented([{"op": "mask_dropout", "n": 100}], None, variants=1)
    assert np.array_equal(output.image, PICTURE)  # type: ignore[arg-type]
    assert output.labels is None


def test_transparency_and_untouched_objects_stay_under_a_dropout() -> None:
    pixels = make_image(*SIZE, channels=4)
    output = {"format": "png", "alpha": "keep"}
    (result,) = augment([pixels], {"steps": [{"op": "mask_dropout"}], "output": output}, seed=1, labels=[LABELS])
    assert result.image is not None
    assert np.array_equal(result.image[..., 3], pixels[..., 3])


def test_parts_of_objects_are_hidden_and_labels_stay() -> None:
    inside = np.zeros(SIZE, bool)
    for a, b, c, d in BOXES:
        inside[b:d, a:c] = True
    step = {"op": "label_aware_dropout", "share": 1, "height": 0.3, "width": [0.2, 0.5], "color": [0, 1, 0]}
    for output in augmented([step]):
        changed = (output.image.numpy() != PICTURE).any(axis=2)  # type: ignore[union-attr]
        assert not changed[~inside].any()
        for a, b, c, d in BOXES:
            assert 0 < changed[b:d, a:c].mean() < 0.6
        assert boxes(output) == [tuple(map(float, box)) for box in BOXES]
        assert output.labels is not None
        assert not output.labels.dropped


def test_a_share_of_the_objects_is_hit() -> None:
    for output in augmented([{"op": "label_aware_dropout", "share": 0.5}]):
        assert len(at(output)["objects"]) == 2, "rounded up"
    (none,) = augmented([{"op": "label_aware_dropout", "share": 0}], variants=1)
    assert np.array_equal(none.image, PICTURE)  # type: ignore[arg-type]


def test_results_are_those_of_a_picture_and_its_labels_alone() -> None:
    steps = [{"op": "rotate", "degrees": [-20, 20]}, {"op": "box_safe_crop"}, {"op": "label_aware_dropout"}]
    others = [labels_of(SIZE).document(), None, LABELS, {"boxes": {"values": [[1, 1, 9, 9]]}}]
    pictures = [make_image(*SIZE, seed=n) for n in range(4)]
    keys = ["a", "b", "c", "d"]
    together = augment(pictures, {"steps": steps}, seed=3, keys=keys, labels=others, variants=2)
    for place in reversed(range(4)):
        alone = augment([pictures[place]], {"steps": steps}, 3, [keys[place]], 2, labels=[others[place]])
        for one, among in zip(alone, together[2 * place : 2 * place + 2], strict=True):
            assert torch.equal(one.image, among.image)  # type: ignore[arg-type]
            assert one.draws == among.draws
            assert one.labels == among.labels


def test_other_labels_change_only_what_looks_at_them() -> None:
    steps = [{"op": "brightness"}, {"op": "box_safe_crop"}, {"op": "gaussian_noise"}, {"op": "rotate"}]
    one, other = (augmented(steps, labels, variants=1)[0] for labels in (LABELS, {"boxes": {"values": [[40, 5, 60, 20]]}}))
    assert one.draws[1]["aimed"] != other.draws[1]["aimed"]
    assert [told["draws"] for told in one.draws] == [told["draws"] for told in other.draws]


def test_objects_that_another_picture_brings_are_seen_too() -> None:
    pictures = [make_image(*SIZE, seed=n) for n in range(3)]
    labels = [{"boxes": {"values": [[5 + 20 * n, 10, 20 + 20 * n, 30]], "classes": [n]}} for n in range(3)]
    crop = {"op": "box_safe_crop", "left": 1, "top": 1, "right": 1, "bottom": 1}
    mosaic = {"op": "mosaic", "size": [80, 120], "x": 0.5, "y": 0.5}
    recipe = {"steps": [mosaic, crop], "labels": {"min_visible": 0.3}}
    before = augment(pictures, {**recipe, "steps": [mosaic]}, seed=2, labels=labels)
    after = augment(pictures, recipe, seed=2, labels=labels)
    for whole, cropped in zip(before, after, strict=True):
        found = np.array(boxes(whole))
        assert len(found) > 1, "objects of several pictures"
        around = [*np.floor(found.min(axis=0)[:2]), *np.ceil(found.max(axis=0)[2:])]
        assert at(cropped)["window"] == around
        assert areas(boxes(cropped)) == pytest.approx(areas(boxes(whole)), abs=0.01)


def test_a_recipe_is_a_plan_of_the_same_numbers_with_and_without_its_gate() -> None:
    steps = [{"op": "box_safe_crop", "chance": 0.5}]
    sizes = {tuple(output.image.shape[:2]) for output in augmented(steps, variants=16)}  # type: ignore[union-attr]
    assert SIZE in sizes
    assert len(sizes) > 4


def any_labels(rng: random.Random, height: int, width: int) -> dict[str, Any]:
    """Labels anywhere on a picture and beyond its edges, points and lines among them."""

    def point() -> list[float]:
        return [rng.uniform(-0.3 * width, 1.3 * width), rng.uniform(-0.3 * height, 1.3 * height)]

    def box() -> list[float]:
        (a, b), (c, d) = point(), point()
        return [min(a, c), min(b, d), max(a, c), max(b, d)]

    count = rng.randint(0, 4)
    mask = np.random.default_rng(rng.randint(0, 99)).integers(0, 4, (height, width)).astype(np.uint8)
    labels: dict[str, Any] = {
        "boxes": {"values": [box() for _ in range(count)], "classes": [rng.choice(["a", 1]) for _ in range(count)]},
        "polygons": [{"points": [point() for _ in range(rng.randint(3, 6))]} for _ in range(rng.randint(0, 2))],
        "keypoints": [{"points": [[*point(), rng.choice([0, 1, 2])]]} for _ in range(rng.randint(0, 2))],
        "mask": write_mask(mask),
    }
    return {kind: labels[kind] for kind in labels if rng.random() < 0.7}


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_labels_every_one_is_in_the_result_or_dropped(seed: int) -> None:
    rng = random.Random(seed)
    looking = [op for op in OPS.values() if op.aim is not None]
    height, width = rng.choice([(1, 1), (1, 7), (9, 1), (20, 30), (33, 21)])
    steps = [any_step(rng, rng.choice(looking)) for _ in range(rng.randint(1, 3))]
    for step in steps:
        step["classes"] = rng.choice([[], [1], ["a"], ["nothing"]])
    given = any_labels(rng, height, width)
    for output in augment([make_image(height, width)], {"steps": steps}, seed=seed, labels=[given], variants=2):
        assert output.error is None
        assert output.labels is not None
        found = output.labels.document()
        assert json.loads(json.dumps(output.draws)) == list(output.draws)
        for kind, name in (("box", "boxes"), ("polygon", "polygons"), ("keypoints", "keypoints")):
            before, after = (labels.get(name, []) for labels in (given, found))
            counts = [len(one["values"] if isinstance(one, dict) else one) for one in (before, after)]
            lost = [one["index"] for one in found.get("dropped", ()) if one["kind"] == kind]
            assert len(lost) == len(set(lost))
            assert counts[0] == counts[1] + len(lost)


@pytest.mark.parametrize("form", ["xywh", "yolo"])
def test_boxes_of_every_format_are_seen_and_written(form: str) -> None:
    values = [[10, 8, 20, 20], [50, 30, 30, 25]]
    if form == "yolo":
        values = [[(a + c / 2) / 90, (b + d / 2) / 60, c / 90, d / 60] for a, b, c, d in values]
    labels = {"boxes": {"format": form, "values": values}}
    dropped = made_labels(SIZE, labels, [{"op": "mask_dropout"}])
    assert dropped["boxes"]["format"] == form
    assert dropped["boxes"]["values"] in [[pytest.approx(values[0])], [pytest.approx(values[1])]]
    crop = {"op": "box_safe_crop", "left": 1, "top": 1, "right": 1, "bottom": 1}
    found = Labels.parse(made_labels(SIZE, labels, [crop]), Size(47, 70))
    assert found.boxes is not None
    assert not found.dropped
