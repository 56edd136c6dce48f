"""Labels of mixed pictures: each where its pixels are, covered ones lost, every loss told with the picture it was of."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from kernels import augment
from kernels.coverage import coverage
from kernels.labels import Labels, read_mask, write_mask
from kernels.tensors import Size
from tests.helpers.pictures import Steps

OWN: dict[str, Any] = {
    "boxes": {"values": [[2, 2, 10, 10], [30, 20, 50, 40]], "classes": ["a", "b"]},
    "polygons": [{"points": [[2, 2], [10, 2], [10, 10], [2, 10]]}],
    "keypoints": [{"points": [[5, 5, 2], [40, 30, 1]]}],
}
OTHER: dict[str, Any] = {
    "boxes": {"format": "yolo", "values": [[0.25, 0.25, 0.2, 0.3], [0.8, 0.7, 0.2, 0.2]], "classes": ["c", "d"]},
}


def mixed(steps: Steps, own: Any = OWN, other: Any = OTHER, rules: Any = None) -> dict[str, Any]:
    """The labels of a 40 x 60 picture "own" that takes "other", 80 x 120, as partner."""
    pixels = [np.zeros((40, 60, 3), np.uint8), np.full((80, 120, 3), 255, np.uint8)]
    recipe = {"steps": list(steps), "labels": rules or {}}
    output = augment(pixels, recipe, seed=3, keys=["own", "other"], labels=[own, other])[0]
    assert output.error is None
    return {} if output.labels is None else output.labels.document()


def test_mixup_keeps_all() -> None:
    labels = mixed([{"op": "mixup", "weight": 0.3}])
    values = np.array(labels["boxes"]["values"])
    # the other picture is twice as large: its boxes arrive at half their pixels
    expected = [[2, 2, 10, 10], [30, 20, 50, 40], [9, 4, 21, 16], [42, 24, 54, 32]]
    np.testing.assert_allclose(values, expected, atol=1e-3)
    assert labels["boxes"]["classes"] == ["a", "b", "c", "d"]
    assert labels["boxes"]["format"] == "xyxy"
    assert "dropped" not in labels


def test_labels_of_one_side_are_enough_and_none_stay_none() -> None:
    only = mixed([{"op": "mixup"}], own=None)
    assert only["boxes"]["classes"] == ["c", "d"]
    assert mixed([{"op": "mixup"}], own=None, other=None) == {}
    nameless = {"boxes": {"values": [[0, 0, 9, 9]]}}
    assert mixed([{"op": "mixup"}], own=nameless)["boxes"]["classes"] == ["", "c", "d"]


def test_cutmix_covers_and_brings_what_lies_in_the_box() -> None:
    # a box of a quarter of the area at the top left: 30 x 20 pixels
    labels = mixed([{"op": "cutmix", "area": 0.25, "across": 0, "down": 0}])
    np.testing.assert_allclose(labels["boxes"]["values"], [[30, 20, 50, 40], [9, 4, 21, 16]], atol=1e-3)
    assert labels["boxes"]["classes"] == ["b", "c"]
    assert labels["keypoints"][0]["points"] == [[0, 0, 0], [40, 30, 1]]
    assert labels["dropped"] == [
        {"kind": "box", "index": 0, "reason": "covered"},
        {"kind": "polygon", "index": 0, "reason": "covered"},
        {"kind": "box", "index": 1, "reason": "outside", "partner": "other"},
    ]


def test_a_label_covered_in_part_stays_whole() -> None:
    # 30 x 20 pixels at the right hide half of it
    own = {"boxes": {"values": [[20, 0, 40, 10]]}}
    half = {"op": "cutmix", "area": 0.25, "across": 1, "down": 0}
    assert mixed([half], own=own)["boxes"]["values"][0] == [20, 0, 40, 10]
    strict = mixed([half], own=own, rules={"min_visible": 0.6})
    assert {"kind": "box", "index": 0, "reason": "covered"} in strict["dropped"]


def test_sides_are_measured_at_the_end() -> None:
    own = {"boxes": {"values": [[10, 10, 14, 14]]}}
    steps = [{"op": "mosaic", "size": [80, 120], "x": 0.5, "y": 0.5}, {"op": "resize", "size": [320, 480]}]
    assert mixed(steps, own=own, rules={"min_side": 15})["boxes"]["values"][0] == [40, 40, 56, 56]
    assert mixed(steps, own=own, rules={"min_side": 17})["dropped"][0]["reason"] == "too_small"
    ends_mixed = mixed(steps[:1], own=own, rules={"min_side": 5})
    assert ends_mixed["dropped"][0] == {"kind": "box", "index": 0, "reason": "too_small"}


def test_mosaic_cuts_at_the_edges_of_the_parts() -> None:
    labels = mixed([{"op": "mosaic", "size": [80, 120], "x": 0.5, "y": 0.5}])
    expected = [[2, 2, 10, 10], [30, 20, 50, 40]]
    for right, down in ((60, 0), (0, 40), (60, 40)):
        expected += [[9 + right, 4 + down, 21 + right, 16 + down], [42 + right, 24 + down, 54 + right, 32 + down]]
    np.testing.assert_allclose(labels["boxes"]["values"], expected, atol=1e-3)
    assert labels["boxes"]["classes"] == ["a", "b"] + ["c", "d"] * 3


def test_copy_paste_brings_its_objects_and_hides_what_is_beneath() -> None:
    other = {"boxes": {"values": [[0, 0, 24, 24], [100, 60, 118, 78]], "classes": ["c", "d"]}}
    labels = mixed([{"op": "copy_paste", "share": 1}], other=other)
    np.testing.assert_allclose(labels["boxes"]["values"], [[30, 20, 50, 40], [0, 0, 12, 12], [50, 30, 59, 39]], atol=1e-3)
    assert labels["dropped"][0] == {"kind": "box", "index": 0, "reason": "covered"}
    one = mixed([{"op": "copy_paste", "share": 0.5}], other=other)
    assert len([name for name in one["boxes"]["classes"] if name in "cd"]) == 1
    assert mixed([{"op": "copy_paste", "share": 0}], other=other)["boxes"]["classes"] == ["a", "b"]
    assert mixed([{"op": "copy_paste"}], other=None)["boxes"]["classes"] == ["a", "b"]


def test_losses_before_and_after_are_told_by_where_a_label_came_from() -> None:
    crop = {"op": "center_crop", "size": [20, 60]}
    labels = mixed([crop, {"op": "mixup"}, {"op": "center_crop", "size": [20, 20]}])
    told = {(lost["kind"], lost["index"], lost.get("partner")) for lost in labels["dropped"]}
    assert ("box", 0, None) in told, "cut off before the mix"
    assert ("box", 1, "other") in told, "cut off after it, and still the second of its own picture"
    assert labels["boxes"]["classes"] == ["b"]


def test_masks_follow_their_pixels() -> None:
    own, other = np.full((40, 60), 3, np.uint8), np.full((80, 120), 700, np.uint16)
    corner = {"op": "cutmix", "area": 0.25, "across": 0, "down": 0}
    classes = read_mask(mixed([corner], {"mask": write_mask(own)}, {"mask": write_mask(other)})["mask"])
    assert (classes[:20, :30] == 700).all()
    assert (classes[20:] == 3).all()
    bare = read_mask(mixed([corner], {"mask": write_mask(own)}, None)["mask"])
    assert not bare[:20, :30].any()
    own[:10] = 0
    blend = mixed([{"op": "mixup", "weight": 0.3}], {"mask": write_mask(own)}, {"mask": write_mask(other)})
    classes = read_mask(blend["mask"])
    assert (classes[:10] == 700).all()
    assert (classes[10:] == 3).all()


def test_too_many_labels_together_fail_the_picture() -> None:
    many = {"boxes": {"values": [[0, 0, 9, 9]] * 6000}}
    pixels = [np.zeros((40, 60, 3), np.uint8)] * 2
    outputs = augment(pixels, {"steps": [{"op": "mixup"}]}, seed=0, labels=[many, many])
    assert [output.error is not None and output.error.code for output in outputs] == ["label_invalid"] * 2


def test_results_parse_as_labels_again() -> None:
    document = mixed([{"op": "cutmix", "area": 0.25, "across": 0, "down": 0}])
    assert Labels.parse(document, Size(40, 60)).count == 3


@pytest.mark.parametrize("turned", [False, True])
def test_coverage_is_the_area_in_each_pixel(turned: bool) -> None:
    outline = np.array([[1.25, 1.0], [6.5, 1.0], [6.5, 3.5], [1.25, 3.5]])
    found = coverage(outline[::-1] if turned else outline, Size(5, 8))
    assert found.sum() == pytest.approx(5.25 * 2.5)
    assert found[2].tolist() == [0, 0.75, 1, 1, 1, 1, 0.5, 0]
    assert found[3].tolist() == [0, 0.375, 0.5, 0.5, 0.5, 0.5, 0.25, 0]
    slanted = np.array([[-4.0, -3.0], [30.0, 2.0], [3.0, 30.0]])
    finely = np.mgrid[0:200, 0:240] / 10 + 0.05
    inside = np.ones(finely.shape[1:], bool)
    for (x0, y0), (x1, y1) in zip(slanted, np.roll(slanted, -1, axis=0), strict=True):
        inside &= (x1 - x0) * (finely[0] - y0) - (y1 - y0) * (finely[1] - x0) >= 0
    expected = inside.reshape(20, 10, 24, 10).mean(axis=(1, 3))
    assert np.abs(coverage(slanted, Size(20, 24)) - expected).max() < 0.07


@pytest.mark.long
def test_endless_labels_end() -> None:
    """Outlines and lists that would be drawn for hours are cut short; results stay what they are."""
    x = np.tile([0.0, 999.0], 5000)
    y = np.tile([0.0, 1500.0, 3.0, 1490.0], 2500)
    zigzag = {"points": np.stack([x, y], axis=1).tolist(), "class": "zigzag"}
    other = {"polygons": [zigzag] * 20}
    own = {"boxes": {"values": [[0, 0, 1000, 1500]] * 3000}}
    pixels = [np.zeros((1500, 1000, 3), np.uint8), np.full((1500, 1000, 3), 255, np.uint8)]
    for op in ("copy_paste", "cutmix"):
        began_s = time.process_time()
        output = augment(pixels, {"steps": [{"op": op}]}, seed=0, labels=[own, other])[0]
        assert output.error is None
        assert time.process_time() - began_s < 20
