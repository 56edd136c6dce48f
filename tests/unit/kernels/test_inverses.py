"""The way back: points, labels and maps of a result told on its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from kernels import augment, inverse
from kernels.inverses import Inverse
from kernels.matrices import moved
from tests.helpers.pictures import made, made_labels, make_image, make_photo, make_plan

SIZE = (90, 120)
MATRICES: list[dict[str, Any]] = [
    {"op": "random_resized_crop", "size": [80, 70], "scale": [0.5, 0.9]},
    {"op": "hflip", "chance": 0.5},
    {"op": "color_jitter"},
    {"op": "rotate", "degrees": [-25, 25]},
    {"op": "perspective", "distortion": 0.15},
]
FIELDS: list[dict[str, Any]] = [{"op": "elastic"}, {"op": "rotate", "degrees": 20}, {"op": "swirl"}]


def back(steps: Sequence[Mapping[str, Any]], size: tuple[int, int] = SIZE, key: int = 0) -> Inverse:
    return inverse(make_plan(steps, size, key=key))


@pytest.mark.parametrize(("steps", "within"), [(MATRICES, 1e-3), (FIELDS, 0.1)])
def test_points_come_back_to_where_they_were(steps: list[dict[str, Any]], within: float) -> None:
    places = np.random.default_rng(1).uniform((20, 20), (100, 70), (40, 2))
    points = [[x, y, 2] for x, y in places.tolist()]
    for key in range(8):
        there = made_labels(SIZE, {"keypoints": [{"points": [point]} for point in points]}, steps, key=key)
        lost = {one["index"] for one in there.get("dropped", ())}
        kept = [place for place in range(len(points)) if place not in lost]
        assert len(kept) > 10
        found = np.array([one["points"][0][:2] for one in there["keypoints"]])
        assert back(steps, key=key).points(found) == pytest.approx(places[kept], abs=within)


def test_the_matrix_is_the_way_of_points_and_none_where_a_field_bends() -> None:
    way = back(MATRICES)
    points = np.array([[10.0, 20.0], [35.5, 40.25]])
    assert way.matrix is not None
    assert moved(way.matrix, points) == pytest.approx(way.points(points))
    assert back(FIELDS).matrix is None
    assert back([]).matrix == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert back([{"op": "invert"}]).points(points) == pytest.approx(points)


def test_points_that_show_nothing_of_the_picture_have_no_place() -> None:
    way = back([{"op": "pad", "left": 10, "top": 0, "right": 0, "bottom": 0}])
    found = way.points(np.array([[5.0, 5.0], [15.0, 5.0], [131.0, 5.0]]))
    assert np.isnan(found[[0, 2]]).all()
    assert found[1].tolist() == [5, 5]
    mirrored = back([{"op": "pad", "left": 10, "top": 0, "right": 0, "bottom": 0, "border": "reflect"}])
    assert mirrored.points(np.array([[4.0, 5.0]])).tolist() == [[6, 5]]
    wrapped = back([{"op": "pad", "left": 10, "top": 0, "right": 0, "bottom": 0, "border": "wrap"}])
    assert wrapped.points(np.array([[4.0, 5.0]])).tolist() == [[114, 5]]


@pytest.mark.parametrize(("steps", "within"), [(MATRICES, 0.01), (FIELDS, 0.5)])
def test_labels_come_back(steps: list[dict[str, Any]], within: float) -> None:
    outline = [[50.0, 40.0], [70.0, 42.0], [66.0, 55.0], [52.0, 58.0]]
    for key in range(4):
        given = {"polygons": [{"points": outline, "class": "a"}], "keypoints": [{"points": [[60, 45, 2]]}]}
        (output,) = augment([make_image(*SIZE)], {"steps": steps}, seed=3, keys=[key], labels=[given])
        assert output.labels is not None
        if len(output.labels.polygons[0].points) != 4 and steps is MATRICES:
            continue  # cut by the picture's edge
        returned = output.inverse().labels(output.labels)
        assert not returned.dropped
        assert returned.keypoints[0].points[0][:2] == pytest.approx((60, 45), abs=within)
        points = np.array(returned.polygons[0].points)
        assert points.min(axis=0) == pytest.approx([50, 40], abs=within)
        assert points.max(axis=0) == pytest.approx([70, 58], abs=within)
        assert returned.polygons[0].category == "a"


def test_boxes_and_masks_come_back_through_turns_of_the_canvas() -> None:
    steps = [{"op": "rot90", "turns": 1}, {"op": "hflip"}, {"op": "crop", "left": 5, "top": 10, "size": [70, 60]}]
    given = {"boxes": {"format": "yolo", "values": [[0.5, 0.5, 0.1, 0.2]], "classes": ["a"]}}
    (output,) = augment([make_image(*SIZE)], {"steps": steps}, seed=3, labels=[given])
    assert output.labels is not None
    returned = output.inverse().labels(output.labels)
    assert returned.boxes is not None
    assert returned.boxes.values[0] == pytest.approx((0.5, 0.5, 0.1, 0.2))


def test_a_map_comes_back_onto_the_pixels_that_the_result_shows() -> None:
    photo = make_photo("chelsea", *SIZE)
    steps = [{"op": "rotate", "degrees": 15}, {"op": "hflip"}, {"op": "center_crop", "size": [60, 80]}]
    way = back(steps)
    result = made(photo, steps).astype(np.float32) * 3 - 100
    returned = way.values(result)
    assert returned.shape == photo.shape
    seen = np.isfinite(returned).all(axis=2)
    assert 0.35 < seen.mean() < 0.5, "about what the crop shows"
    off = np.abs((returned + 100) / 3 - photo)[seen]
    assert off.mean() < 6, "read twice between pixels, so a little softer"
    assert np.array_equal(way.values(result[..., 0]), returned[..., 0], equal_nan=True)
    many = np.repeat(result[..., :1], 9, axis=2)
    assert np.array_equal(way.values(many)[..., 8], returned[..., 0], equal_nan=True)


def test_the_mean_over_variants_covers_the_picture() -> None:
    photo = make_photo("coffee", *SIZE)
    outputs = augment(
        [photo], {"steps": [{"op": "rotate", "degrees": [-30, 30]}, {"op": "hflip", "chance": 0.5}]}, 1, variants=6
    )
    maps = []
    for output in outputs:
        assert output.image is not None
        maps.append(output.inverse().values(output.image.numpy().astype(np.float32)))
    together = np.nanmean(np.stack(maps)[:, 10:-10, 20:-20], axis=0)
    assert np.isfinite(together).all()
    assert np.abs(together - photo[10:-10, 20:-20]).mean() < 8


def test_exact_steps_have_exact_ways_back() -> None:
    picture = make_image(*SIZE)
    for steps in ([{"op": "hflip"}], [{"op": "rot90", "turns": 3}, {"op": "vflip"}], [{"op": "transpose"}], []):
        result = made(picture, steps)
        assert np.array_equal(inverse(make_plan(steps, SIZE)).values(result.astype(np.float32)), picture)


def test_what_has_no_one_way_back_says_so() -> None:
    with pytest.raises(ValueError, match="mosaic lays pictures over each other"):
        back([{"op": "mosaic"}])
    with pytest.raises(ValueError, match="grid_shuffle"):
        back([{"op": "grid_shuffle"}])
    back([{"op": "histogram_matching"}, {"op": "mask_dropout"}])
    with pytest.raises(ValueError, match="the map"):
        back([]).values(np.zeros((3, 3), np.float32))
    (broken,) = augment([b"no picture"], {"steps": []}, seed=1)
    with pytest.raises(ValueError, match="could not be read"):
        broken.inverse()
