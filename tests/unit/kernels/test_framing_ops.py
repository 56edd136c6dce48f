"""What crops, pads, sizes and turns of the canvas mean, beside their references: by what other libraries make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from tests.helpers.pictures import made, made_labels, make_image, make_plan

PICTURE = make_image(30, 44)


def as_image(pixels: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_are_numpys(turns: int) -> None:
    assert np.array_equal(made(PICTURE, [{"op": "rot90", "turns": turns}]), np.rot90(PICTURE, turns))


def test_transpose_swaps_axes_and_twice_is_nothing() -> None:
    once = made(PICTURE, [{"op": "transpose"}])
    assert np.array_equal(once, PICTURE.transpose(1, 0, 2))
    assert np.array_equal(made(once, [{"op": "transpose"}]), PICTURE)


def test_d4_is_a_group_of_eight_different_pictures() -> None:
    names = ("e", "r90", "r180", "r270", "h", "v", "t", "hvt")
    square = make_image(20, 20)
    results = {made(square, [{"op": "d4", "element": name}]).tobytes() for name in names}
    assert len(results) == 8
    again = made(made(square, [{"op": "d4", "element": "t"}]), [{"op": "d4", "element": "v"}])
    assert np.array_equal(again, np.rot90(square)), "two of them after each other are a third"


def test_expanded_turns_have_torchvisions_size_and_lose_nothing() -> None:
    result = made(np.full((60, 90, 3), 255, np.uint8), [{"op": "rotate_expand", "degrees": 30}])
    peer = functional.rotate(as_image(np.full((60, 90, 3), 255, np.uint8)), 30, expand=True)
    assert np.abs(np.array(result.shape[:2]) - peer.shape[1:]).max() <= 1, "torchvision rounds its corners"
    assert result[..., 0].astype(float).sum() / 255 == pytest.approx(60 * 90, rel=0.005)


def test_safe_turns_keep_the_canvas_and_every_corner() -> None:
    corners = [{"points": [[x, y, 2]]} for x in (0.001, 89.999) for y in (0.001, 59.999)]
    for degrees in (20, 90, -145):
        found = made_labels((60, 90), {"keypoints": corners}, [{"op": "safe_rotate", "degrees": degrees}])
        assert len(found["keypoints"]) == 4
        places = np.array([one["points"][0][:2] for one in found["keypoints"]])
        assert (places >= -1e-3).all()
        assert (places <= (90.001, 60.001)).all()
        touched = np.isclose(places, 0, atol=0.01).any(axis=0) & np.isclose(places, (90, 60), atol=0.01).any(axis=0)
        assert touched.any(), "it is as large as it can be"


@pytest.mark.parametrize(
    ("step", "peer"),
    [
        ({"op": "smallest_max_size", "max_size": 21}, v2.Resize(21)),
        ({"op": "longest_max_size", "max_size": 29}, v2.Resize(size=None, max_size=29)),
        ({"op": "random_resize", "shorter": 40, "longest": 50}, v2.RandomShortestSize([40], max_size=50)),
    ],
)
def test_sizes_are_torchvisions(step: dict[str, Any], peer: Any) -> None:
    height, width = peer(as_image(PICTURE)).shape[1:]
    planned = make_plan([step], PICTURE.shape[:2])
    # torchvision drops fractions of pixels, and these are rounded
    assert np.abs(np.array(planned.size_out) - (height, width)).max() <= 1


def test_letterbox_shows_all_of_the_picture_between_even_grey_bars() -> None:
    result = made(np.full((20, 40, 3), 255, np.uint8), [{"op": "letterbox", "size": [80, 80]}])
    assert (result[22:58, 2:-2] == 255).all()
    assert (result[:19] == 114).all()
    assert (result[61:] == 114).all()
    small = made(np.full((20, 40, 3), 255, np.uint8), [{"op": "letterbox", "size": [80, 80], "scaleup": False}])
    assert (small == 255).all(axis=2).sum() == 20 * 40


def test_frames_are_put_where_they_are_asked_for() -> None:
    for position, rows, columns in (("top_left", slice(30), slice(44)), ("bottom_right", slice(34, 64), slice(20, 64))):
        result = made(PICTURE, [{"op": "pad_to_multiple", "multiple": 64, "position": position}])
        assert result.shape[:2] == (64, 64)
        assert np.array_equal(result[rows, columns], PICTURE)
    assert np.array_equal(made(PICTURE, [{"op": "pad_if_needed", "size": [20, 20]}]), PICTURE)
    assert np.array_equal(made(PICTURE, [{"op": "pad_to_multiple", "multiple": 2}]), PICTURE)


def test_crops_are_slices() -> None:
    assert np.array_equal(made(PICTURE, [{"op": "crop", "left": 4, "top": 3, "size": [10, 20]}]), PICTURE[3:13, 4:24])
    step = {"op": "random_crop_from_borders", "left": 0.1, "top": 0.2, "right": 0, "bottom": 0.3}
    assert np.array_equal(made(PICTURE, [step]), PICTURE[6:21, 4:])
    step = {"op": "crop_and_pad", "left": -0.1, "top": 0.1, "right": 0, "bottom": 0, "keep_size": False}
    result = made(PICTURE, [step])
    assert np.array_equal(result[3:], PICTURE[:, 4:])
    assert (result[:3] == 0).all()


def test_zoom_out_keeps_the_picture_bit_for_bit() -> None:
    result = made(PICTURE, [{"op": "zoom_out", "factor": 2, "x": 1, "y": 0}])
    assert result.shape[:2] == (60, 88)
    assert np.array_equal(result[:30, 44:], PICTURE)


def test_scale_jitter_cuts_what_is_larger_and_pads_what_is_smaller() -> None:
    white = np.full((30, 60, 3), 255, np.uint8)
    small = made(white, [{"op": "scale_jitter", "size": [60, 60], "scale": 0.5, "x": 0, "y": 0}])
    assert (small[:14, :29] == 255).all()
    assert small[..., 0].astype(float).sum() / 255 == pytest.approx(15 * 30, rel=0.05)
    large = made(white, [{"op": "scale_jitter", "size": [60, 60], "scale": 3, "x": 0.5, "y": 0.5}])
    assert (large == 255).all()


@pytest.mark.parametrize("peer", [v2.FiveCrop((12, 16)), v2.TenCrop((12, 16))])
def test_variants_take_all_crops_in_turn(peer: Any) -> None:
    wanted = {crop.permute(1, 2, 0).numpy().tobytes() for crop in peer(as_image(PICTURE))}
    names = ["top_left", "top_right", "bottom_left", "bottom_right", "center"]
    names += [f"{name}_flipped" for name in names] if len(wanted) == 10 else []
    step = {"op": "multi_crop", "size": [12, 16], "place": names}
    results = [made(PICTURE, [step], variant=variant).tobytes() for variant in range(2 * len(names))]
    assert set(results) == wanted
    assert results[: len(names)] == results[len(names) :], "and from the first again"
    assert made(PICTURE, [step], seed=8, variant=3).tobytes() == results[3], "whatever the seed"
