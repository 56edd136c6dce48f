"""Chains of geometric steps: one reading, every canvas on the way honoured, exact where only places change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from kornia.geometry.transform import warp_affine, warp_perspective
from numpy.typing import NDArray

from kernels import chain, index_maps, matrices, warp
from kernels.chain import chain as links_of
from kernels.tensors import Size
from tests.helpers.pictures import Steps, made, make_image, make_photo, make_plan

CHAINS: dict[str, Steps] = {
    "there_and_back": [{"op": "rotate", "degrees": 45}, {"op": "rotate", "degrees": -45}],
    "scaled_and_turned": [
        {"op": "rotate", "degrees": 20},
        {"op": "affine", "scale": 1.4, "degrees": 0, "translate_x": 0, "translate_y": 0, "shear_x": 0},
        {"op": "translate", "x": 0.3, "y": -0.2},
        {"op": "rotate", "degrees": 30},
    ],
    "leaned_and_tilted": [
        {"op": "shear", "x": 20},
        {"op": "perspective", "distortion": 0.4},
        {"op": "rotate", "degrees": -25},
    ],
    "cropped_and_padded": [
        {"op": "center_crop", "size": [150, 170]},
        {"op": "rotate", "degrees": 33},
        {"op": "pad", "left": 40, "top": 30, "right": 20, "bottom": 10},
        {"op": "rotate", "degrees": -33},
    ],
}


def step_by_step(pixels: NDArray[np.uint8], steps: Steps) -> NDArray[np.uint8]:
    """What a library does that knows no chains: each step read by itself. Only for steps without ranges."""
    for place, step in enumerate(steps):
        # the draws of a step belong to its place, so the steps before it stay, switched off
        skipped = [{**other, "chance": 0.0} for other in steps[:place]]
        pixels = made(pixels, [*skipped, step])
    return pixels


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


# ------------------------------------------------------------------------------------------------ field of view
@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_shows_what_single_steps_show(name: str) -> None:
    white = np.full((240, 320, 3), 255, dtype=np.uint8)
    fused, single = made(white, CHAINS[name])[..., 0] > 127, step_by_step(white, CHAINS[name])[..., 0] > 127
    assert fused.shape == single.shape
    assert overlap(fused, single) >= 0.998
    assert not fused.all(), "this chain is meant to cut something away"


def test_the_plain_product_would_show_what_was_cut_away() -> None:
    corner = np.zeros((200, 200, 3), dtype=np.uint8)
    corner[:20, :20] = 255
    assert made(corner, CHAINS["there_and_back"]).max() == 0


@pytest.mark.parametrize("border", ["replicate", "reflect", "wrap"])
def test_borders_of_every_step_are_honoured(border: str) -> None:
    photo = make_photo("coffee", 200, 240)
    steps = [{"op": "translate", "x": 0.3, "y": 0.2, "border": border}, {"op": "rotate", "degrees": 40, "border": border}]
    fused, single = made(photo, steps).astype(int), step_by_step(photo, steps).astype(int)
    # they differ by the blur of the second reading, so only where the picture is smooth are they the same
    assert np.median(np.abs(fused - single)) <= 2
    assert np.mean(np.abs(fused - single) > 40) < 0.01


def test_each_step_fills_with_its_own_colour() -> None:
    white = np.full((100, 100, 3), 255, dtype=np.uint8)
    steps = [
        {"op": "translate", "x": 0.255, "y": 0, "fill": [1, 0, 0]},
        {"op": "translate", "x": 0, "y": 0.255, "fill": [0, 0, 1]},
    ]
    found = made(white, steps)
    assert found[10, 50].tolist() == [0, 0, 255]
    assert found[60, 10].tolist() == [255, 0, 0]
    assert found[10, 10].tolist() == [0, 0, 255]
    assert found[60, 60].tolist() == [255, 255, 255]
    # the edge falls half way into a pixel: half of it is filled
    assert found[60, 25].tolist() == pytest.approx([255, 127.5, 127.5], abs=0.6)
    assert found[25, 60].tolist() == pytest.approx([127.5, 127.5, 255], abs=0.6)


# ------------------------------------------------------------------------------------------------ one reading
def test_a_chain_is_sharper_than_single_steps() -> None:
    photo = make_photo("astronaut")
    steps = [{"op": "rotate", "degrees": angle} for angle in (7, -11, 9, -5)]
    inner = (slice(100, 412), slice(100, 412))
    fused, single = (way(photo, steps).astype(float)[inner] for way in (made, step_by_step))
    original = photo.astype(float)[inner]
    assert np.sqrt(np.mean((fused - original) ** 2)) < 0.02 * np.sqrt(np.mean((single - original) ** 2)) + 0.01


def test_a_flip_on_the_way_changes_nothing_at_the_edge() -> None:
    white = np.full((61, 80, 3), 255, dtype=np.uint8)
    turned = made(white, [{"op": "rotate", "degrees": 10}])
    flipped = made(white, [{"op": "hflip"}, {"op": "rotate", "degrees": 10}])
    assert np.abs(turned.astype(int) - flipped).max() <= 1


def test_pixel_steps_split_a_chain_and_quantise_once() -> None:
    steps = [{"op": "rotate", "degrees": 17}, {"op": "invert"}, {"op": "rotate", "degrees": -31}, {"op": "invert"}]
    photo = make_photo("chelsea", 150, 200)
    fill = [{**step, "fill": [1, 1, 1]} if place == 2 else step for place, step in enumerate(steps)]
    without = [steps[0], steps[2]]
    twice_read = step_by_step(photo, without).astype(int)
    assert np.abs(made(photo, fill).astype(int) - twice_read).max() <= 1


# ------------------------------------------------------------------------------------------------ references
@pytest.mark.parametrize("steps", [CHAINS["scaled_and_turned"], [{"op": "rotate", "degrees": 30}]])
def test_agrees_with_kornia_on_the_same_matrix(steps: Steps) -> None:
    photo = make_photo("astronaut", 200, 260)
    planned = make_plan(steps, photo.shape[:2])
    total = matrices.product(*(link.forward for link in reversed(links_of(planned.steps))))
    back = matrices.multiply(matrices.translation(-0.5, -0.5), matrices.multiply(total, matrices.translation(0.5, 0.5)))
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].double() / 255
    matrix = torch.tensor(back, dtype=torch.float64).view(1, 3, 3)
    if len(steps) == 1:
        warped = warp_affine(image, matrix[:, :2], photo.shape[:2], align_corners=True)
    else:
        warped = warp_perspective(image, matrix, photo.shape[:2], align_corners=True)
    expected = (warped[0].permute(1, 2, 0) * 255).round().numpy()
    found = made(photo, steps).astype(float)
    # only where no canvas on the way cuts: Kornia is given the plain product
    seen = made(np.full_like(photo, 255), steps)[..., 0] == 255
    assert np.mean(np.abs(found - expected)[seen] <= 1) >= 0.995


def test_perspective_takes_corners_to_their_places() -> None:
    size = Size(50, 80)
    plan = make_plan([{"op": "perspective", "distortion": 0.5, "top_left_x": 1, "top_left_y": 0.5}], size)
    matrix = links_of(plan.steps)[0].forward
    assert matrices.moved(matrix, np.array([[0.0, 0.0]]))[0] == pytest.approx([20, 6.25])


def test_quads_go_both_ways() -> None:
    one, other = ((0, 0), (10, 1), (9, 8), (-1, 7)), ((3, 3), (30, 4), (28, 40), (1, 37))
    there = matrices.quad_to_quad(one, other)
    assert matrices.moved(there, np.array(one, dtype=float)) == pytest.approx(np.array(other, dtype=float))
    there_and_back = matrices.multiply(matrices.inverse(there), there)
    assert np.divide(there_and_back, there_and_back[8]) == pytest.approx(matrices.IDENTITY, abs=1e-12)


@pytest.mark.parametrize("quarter", range(-4, 5))
def test_quarter_turns_are_exact_matrices(quarter: int) -> None:
    matrix = matrices.rotation(90.0 * quarter)
    assert np.array_equal(matrix, np.rint(matrix))
    expected = np.array([[np.cos(np.pi / 2 * quarter)], [np.sin(np.pi / 2 * quarter)]])
    assert np.abs([matrix[0], matrix[3]] - expected[:, 0] * [1, -1]).max() < 1e-12


# ------------------------------------------------------------------------------------------------ exact chains
EXACT: dict[str, tuple[Steps, Any]] = {
    "mirrored": ([{"op": "hflip"}, {"op": "vflip"}], lambda p: p[::-1, ::-1]),
    "turned": ([{"op": "rotate", "degrees": 90}], np.rot90),
    "turned_four_ways": (
        [
            {"op": "rotate", "degrees": 90},
            {"op": "hflip"},
            {"op": "rotate", "degrees": -180},
            {"op": "rotate", "degrees": 270},
        ],
        lambda p: np.rot90(np.rot90(np.rot90(p)[:, ::-1], 2), 3),
    ),
    "rolled": (
        [{"op": "translate", "x": 0, "y": 0, "x_pixels": 70, "y_pixels": -13, "border": "wrap"}],
        lambda p: np.roll(p, (-13, 70), (0, 1)),
    ),
    "cut": ([{"op": "center_crop", "size": [10, 20]}], lambda p: p[19:29, 14:34]),
    "framed": (
        [{"op": "pad", "left": 3, "top": 60, "right": 0, "bottom": 1, "border": "reflect"}, {"op": "vflip"}],
        lambda p: np.pad(p, ((60, 1), (3, 0), (0, 0)), mode="symmetric")[::-1],
    ),
    "shifted": (
        [{"op": "translate", "x": 0, "y": 0, "x_pixels": 5, "fill": [0.2, 0.4, 1]}],
        lambda p: np.concatenate([np.tile(np.uint8([51, 102, 255]), (48, 5, 1)), p[:, :-5]], axis=1),
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_exact_chains_move_every_pixel_bit_for_bit(name: str) -> None:
    steps, expected = EXACT[name]
    pixels = make_image(48, 48)
    assert np.array_equal(made(pixels, steps), expected(pixels))
    # and so they do between other steps, on float planes
    assert np.array_equal(255 - made(pixels, [*steps, {"op": "invert"}]), expected(pixels))
    twice = made(pixels, [{"op": "invert"}, {"op": "invert"}, *steps])
    assert np.array_equal(twice, expected(pixels))


def test_an_exact_chain_and_the_same_by_reading_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = make_image(30, 30)
    exact = {name: made(pixels, steps) for name, (steps, _) in EXACT.items()}
    monkeypatch.setattr(index_maps, "_exact", lambda back: False)
    for name, (steps, _) in EXACT.items():
        assert np.abs(made(pixels, steps).astype(int) - exact[name]).max() <= 1, name


def test_what_stays_on_its_canvas_is_a_window_of_the_source() -> None:
    windows = {"mirrored", "turned", "turned_four_ways", "cut"}
    for name, (steps, _) in EXACT.items():
        found = index_maps.index_map(links_of(make_plan(steps, (48, 48)).steps))
        assert isinstance(found, index_maps.Window) == (name in windows), name


def test_windows_that_are_turned_and_cut_move_every_pixel_of_oblong_pictures() -> None:
    pixels = make_image(40, 60)
    steps: Steps = [
        {"op": "rotate_expand", "degrees": 90},
        {"op": "vflip"},
        {"op": "center_crop", "size": [50, 30]},
        {"op": "transpose"},
        {"op": "hflip"},
    ]
    plan = make_plan(steps, (40, 60))
    assert isinstance(index_maps.index_map(links_of(plan.steps)), index_maps.Window)
    turned = np.rot90(pixels)[::-1]
    assert np.array_equal(made(pixels, steps), turned[5:55, 5:35].transpose(1, 0, 2)[:, ::-1])
    assert np.array_equal(255 - made(pixels, [*steps, {"op": "invert"}]), made(pixels, steps))
    assert np.array_equal(made(pixels, [{"op": "invert"}, {"op": "invert"}, *steps]), made(pixels, steps))


def test_fills_keep_their_fraction_until_the_end() -> None:
    pixels = make_image(8, 8)
    steps = [{"op": "translate", "x": 0, "y": 0, "x_pixels": 8, "fill": [0.3, 0.3, 0.3]}]
    scaled = made(pixels, [*steps, {"op": "brightness", "factor": 2.0, "offset": 0.0}])
    assert set(scaled.ravel().tolist()) == {round(255 * 0.6)}


# ------------------------------------------------------------------------------------------------ shrinking
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_shrinking_by_whole_numbers_is_the_mean_of_boxes(factor: int) -> None:
    pixels = make_image(48, 72)
    small = made(pixels, [{"op": "resize", "size": [48 // factor, 72 // factor]}])
    means = pixels.reshape(48 // factor, factor, 72 // factor, factor, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.5 + 1e-3


def test_fine_patterns_turn_grey_and_not_into_moire() -> None:
    stripes = np.zeros((400, 400, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    for steps in (
        [{"op": "resize", "size": [90, 90]}],
        [{"op": "resize", "size": [90, 90]}, {"op": "rotate", "degrees": 20, "border": "reflect"}],
        [{"op": "resize", "size": [400, 90]}, {"op": "hflip"}],
    ):
        found = made(stripes, steps)
        assert found.min() >= 107, steps
        assert found.max() <= 148, steps


def test_enlarging_reads_between_pixels() -> None:
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(4, axis=0)
    wide = made(ramp, [{"op": "resize", "size": [4, 32]}])[0, :, 0].astype(float)
    assert wide[1:-1] == pytest.approx(np.arange(2.5, 150, 5), abs=0.51)
    assert (wide[0], wide[-1]) == (0, 150)


# ------------------------------------------------------------------------------------------------ class masks
@pytest.mark.parametrize("name", CHAINS)
def test_class_masks_move_like_pixels(name: str) -> None:
    height, width = 240, 320
    classes = np.zeros((height, width), dtype=np.uint8)
    classes[60:200, 50:260] = 7
    plan = make_plan(CHAINS[name], (height, width))
    moved = warp.moved_classes(classes, links_of(plan.steps))
    assert set(np.unique(moved)) == {0, 7}
    painted = np.repeat((classes[..., None] == 7) * np.uint8(255), 3, axis=2)
    assert overlap(moved == 7, made(painted, CHAINS[name])[..., 0] > 127) >= 0.985


# ------------------------------------------------------------------------------------------------ fields
def test_elastic_is_smooth_bounded_and_does_not_fold() -> None:
    for alpha, sigma in ((0.02, 0.1), (0.25, 0.02), (0.1, 0.5)):
        plan = make_plan([{"op": "elastic", "alpha": alpha, "sigma": sigma}], (120, 160), seed=3)
        field = links_of(plan.steps)[0].displacement
        assert field is not None
        longest = field.norm(dim=0).max().item()
        assert longest <= alpha * 120 * 1.0001
        if alpha < 0.1:
            assert longest == pytest.approx(alpha * 120, rel=1e-3)
        for dim in (1, 2):
            assert field.diff(dim=dim).norm(dim=0).max() < 0.65
        x, y = field + torch.stack(torch.meshgrid(torch.arange(160.0), torch.arange(120.0), indexing="xy"))
        area = x.diff(dim=1)[:-1] * y.diff(dim=0)[:, :-1] - x.diff(dim=0)[:, :-1] * y.diff(dim=1)[:-1]
        assert area.min() > 0, "the picture folds over itself"


def test_elastic_has_no_preferred_direction() -> None:
    fields = [links_of(make_plan([{"op": "elastic"}], (96, 96), key=key).steps)[0].displacement for key in range(40)]
    middle = torch.stack([field[:, 20:76, 20:76].mean(dim=(1, 2)) for field in fields if field is not None])
    assert (middle.mean(dim=0).abs() < 3 * middle.std(dim=0) / len(middle) ** 0.5 + 1e-6).all()


def test_a_field_in_the_middle_of_a_chain_is_read_once() -> None:
    photo = make_photo("chelsea", 200, 240)
    steps = [{"op": "rotate", "degrees": 12}, {"op": "elastic", "alpha": 0.04}, {"op": "shear", "x": 10}]
    fused, single = made(photo, steps).astype(int), step_by_step(photo, steps).astype(int)
    assert np.median(np.abs(fused - single)) <= 2
    assert np.mean(np.abs(fused - single) > 30) < 0.01


# ------------------------------------------------------------------------------------------------ the way
def test_canvases_that_cannot_be_left_need_no_veil() -> None:
    steps = [{"op": "random_resized_crop", "size": [30, 30]}, {"op": "hflip"}, {"op": "rotate", "degrees": 10}]
    back = chain.way(links_of(make_plan(steps, (64, 80)).steps), torch.device("cpu"))
    assert len(back.veils) == 1


def test_every_border_and_shape_of_picture_gives_whole_results() -> None:
    for border in ("constant", "replicate", "reflect", "wrap"):
        for height, width in ((1, 1), (1, 37), (37, 1), (2, 3)):
            white = np.full((height, width, 3), 255, dtype=np.uint8)
            steps = [
                {"op": "affine", "scale": 0.05, "degrees": 300, "border": border, "fill": [1, 1, 1]},
                {"op": "perspective", "distortion": 0.6, "border": border, "fill": [1, 1, 1]},
                {"op": "elastic", "border": border, "fill": [1, 1, 1]},
                {"op": "resize", "size": [5, 60]},
                {"op": "translate", "x": 1, "y": -1, "border": border, "fill": [1, 1, 1]},
            ]
            assert made(white, steps).min() == 255, (border, height, width)


def test_an_edge_on_the_way_is_soft_where_the_chain_shrinks() -> None:
    """As sharp as if the large canvas had been averaged: an edge at a slant has many levels, and the right ones."""
    white = np.full((400, 400, 3), 255, dtype=np.uint8)
    steps = [{"op": "translate", "x": 0.3, "y": 0}, {"op": "rotate", "degrees": 10}, {"op": "resize", "size": [50, 50]}]
    large = made(white, steps[:2]).reshape(50, 8, 50, 8, 3).mean(axis=(1, 3))
    assert np.abs(made(white, steps) - large).max() <= 40
    assert np.abs(made(white, steps) - large).mean() <= 1
