"""What the operations on single pixels mean: colour, noise and masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from kernels.colors import mean
from kernels.params import Params
from kernels.plan import plan
from kernels.recipe import Recipe
from kernels.run import run
from kernels.tensors import Picture, Size

PURE = torch.tensor(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128], [0, 0, 0], [255, 255, 255]]], dtype=torch.uint8
)
"""Red, green, blue, grey, black, white."""


def made(*steps: dict[str, object], pixels: torch.Tensor, seed: int = 1, variant: int = 0) -> NDArray[np.int64]:
    recipe = Recipe.parse({"steps": list(steps)})
    drawn = plan(recipe, seed, 0, variant, Size(*pixels.shape[:2]))
    return run([drawn], [Picture(pixels)], torch.device("cpu"))[0].pixels.numpy().astype(np.int64)


def flat(height: int, width: int, level: int = 128) -> torch.Tensor:
    return torch.full((height, width, 3), level, dtype=torch.uint8)


def levels() -> torch.Tensor:
    """Every level once, in a grey picture of 16 x 16."""
    return torch.arange(256, dtype=torch.uint8).view(16, 16, 1).expand(16, 16, 3).contiguous()


def random_pixels(height: int = 40, width: int = 50) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8))


# ------------------------------------------------------------------------------------------------ colour
def test_a_third_of_a_turn_makes_red_green() -> None:
    result = made({"op": "hue", "turn": 1 / 3}, pixels=PURE)
    assert result[0].tolist() == [[0, 255, 0], [0, 0, 255], [255, 0, 0], [128, 128, 128], [0, 0, 0], [255, 255, 255]]


def test_half_a_turn_either_way_is_the_same() -> None:
    pixels = random_pixels()
    there, back = (made({"op": "hue", "turn": turn}, pixels=pixels) for turn in (0.5, -0.5))
    assert np.abs(there - back).max() <= 1


@pytest.mark.parametrize(
    "step",
    [
        {"op": "brightness", "factor": 1, "offset": 0},
        {"op": "contrast", "factor": 1},
        {"op": "saturation", "factor": 1},
        {"op": "hue", "turn": 0},
        {"op": "color_jitter", "brightness": 1, "contrast": 1, "saturation": 1, "hue": 0},
        {"op": "grayscale", "strength": 0},
        {"op": "posterize", "bits": 8},
        {"op": "gamma", "exponent": 1},
        {"op": "channel_swap", "first": "g", "second": "g"},
        {"op": "tint", "amount": 0},
        {"op": "gaussian_noise", "sigma": 0},
        {"op": "impulse_noise", "amount": 0},
        {"op": "salt", "amount": 0},
        {"op": "pepper", "amount": 0},
        {"op": "salt_and_pepper", "amount": 0},
        {"op": "cutout", "area": 0},
        {"op": "grid_mask", "share": 0},
        {"op": "gaussian_blur", "sigma": 0},
        {"op": "box_blur", "size": 1},
        {"op": "min_filter", "size": 1},
        {"op": "max_filter", "size": 1},
        {"op": "percentile_filter", "size": 1},
        {"op": "edge_enhance", "strength": 0},
    ],
    ids=lambda step: str(step["op"]),
)
def test_nothing_asked_nothing_changed(step: dict[str, object]) -> None:
    pixels = random_pixels()
    pixels[0, 0], pixels[0, 1] = 255, 0
    assert np.array_equal(made(step, pixels=pixels), pixels.numpy())


def test_contrast_keeps_the_mean_and_0_is_even_grey() -> None:
    pixels = torch.from_numpy(np.random.default_rng(3).integers(100, 156, (30, 40, 3), dtype=np.uint8))
    stronger = made({"op": "contrast", "factor": 2}, pixels=pixels)
    weights = np.array([0.299, 0.587, 0.114])
    grey = (pixels.numpy() @ weights).mean()
    assert (stronger @ weights).mean() == pytest.approx(grey, abs=0.5)  # all values are rounded the same way
    assert np.all(made({"op": "contrast", "factor": 0}, pixels=pixels) == round(grey))


def test_mean_is_exact_in_any_order() -> None:
    values = torch.from_numpy(np.random.default_rng(1).random(100_003, dtype=np.float32))
    shuffled = values[torch.randperm(len(values), generator=torch.Generator().manual_seed(1))]
    assert mean(values) == mean(shuffled) == mean(values.flip(0))
    assert mean(values) == pytest.approx(math.fsum(values.tolist()) / len(values), abs=2**-24)


def test_color_jitter_is_its_four_parts() -> None:
    parts: list[dict[str, object]] = [
        {"op": "brightness", "factor": 1.4},
        {"op": "contrast", "factor": 1.3},
        {"op": "saturation", "factor": 0.6},
        {"op": "hue", "turn": 0.2},
    ]
    whole = {"op": "color_jitter", "brightness": 1.4, "contrast": 1.3, "saturation": 0.6, "hue": 0.2}
    pixels = random_pixels()
    assert np.array_equal(made(whole, pixels=pixels), made(*parts, pixels=pixels))


def test_grayscale_keeps_the_weighted_sum() -> None:
    result = made({"op": "grayscale"}, pixels=PURE)[0]
    assert result.tolist() == [[level] * 3 for level in (76, 150, 29, 128, 0, 255)]


def test_saturation_0_is_grayscale() -> None:
    pixels = random_pixels()
    assert np.array_equal(made({"op": "saturation", "factor": 0}, pixels=pixels), made({"op": "grayscale"}, pixels=pixels))


def test_posterize_leaves_the_named_number_of_shades() -> None:
    for bits in range(1, 9):
        result = made({"op": "posterize", "bits": bits}, pixels=levels())
        assert len(np.unique(result)) == 2**bits
        assert np.array_equal(result[..., 0].ravel(), np.arange(256) // 2 ** (8 - bits) * 2 ** (8 - bits))


@pytest.mark.parametrize("exponent", [0.05, 0.5, 2.0, 20.0])
def test_gamma_keeps_black_and_white_and_the_order(exponent: float) -> None:
    result = made({"op": "gamma", "exponent": exponent}, pixels=levels())[..., 0].ravel()
    assert result[0] == 0
    assert result[-1] == 255
    assert np.all(np.diff(result) >= 0)


def test_invert_twice_is_nothing() -> None:
    pixels = random_pixels()
    assert np.array_equal(made({"op": "invert"}, {"op": "invert"}, pixels=pixels), pixels.numpy())


@pytest.mark.parametrize(
    ("first", "second", "order"), [("r", "g", [1, 0, 2]), ("b", "r", [2, 1, 0]), ("g", "b", [0, 2, 1])]
)
def test_channel_swap(first: str, second: str, order: list[int]) -> None:
    pixels = random_pixels()
    result = made({"op": "channel_swap", "first": first, "second": second}, pixels=pixels)
    assert np.array_equal(result, pixels.numpy()[..., order])


def test_tint_adds_to_one_and_takes_from_the_others() -> None:
    result = made({"op": "tint", "channel": "g", "amount": 0.2}, pixels=flat(1, 1, 100))
    assert result.tolist() == [[[49, 151, 49]]]


@pytest.mark.parametrize("percent", range(101))
def test_brightness_can_drop_the_fraction(percent: int) -> None:
    """The existing service adds percent / 100 of full brightness and drops the fraction: an offset of whole levels."""
    up, down = percent * 255 // 100, -(-percent * 255 // 100)
    brighter = made({"op": "brightness", "factor": 1, "offset": up / 255}, pixels=levels())[..., 0].ravel()
    darker = made({"op": "brightness", "factor": 1, "offset": -down / 255}, pixels=levels())[..., 0].ravel()
    assert np.array_equal(brighter, np.minimum(255, np.floor(np.arange(256) + percent * 2.55 + 1e-9)))
    assert np.array_equal(darker, np.maximum(0, np.floor(np.arange(256) - percent * 2.55 + 1e-9)))


# ------------------------------------------------------------------------------------------------ noise
def changed(step: dict[str, object], seed: int = 1, variant: int = 0, side: int = 300) -> NDArray[np.bool_]:
    return np.any(made(step, pixels=flat(side, side), seed=seed, variant=variant) != 128, axis=-1)


@pytest.mark.parametrize("op", ["salt", "pepper", "salt_and_pepper", "impulse_noise"])
@pytest.mark.parametrize("amount", [0.01, 0.3, 0.9])
def test_amount_is_the_share_of_pixels(op: str, amount: float) -> None:
    hit = changed({"op": op, "amount": amount})
    assert hit.mean() == pytest.approx(amount, abs=5 * math.sqrt(amount * (1 - amount) / hit.size))


@pytest.mark.parametrize(("op", "colours"), [("salt", {255}), ("pepper", {0}), ("salt_and_pepper", {0, 255})])
def test_amount_1_is_every_pixel(op: str, colours: set[int]) -> None:
    assert set(np.unique(made({"op": op, "amount": 1}, pixels=flat(200, 200)))) == colours


def test_salt_is_the_share_of_white_specks() -> None:
    result = made({"op": "salt_and_pepper", "amount": 0.5, "salt": 0.2}, pixels=flat(300, 300))[..., 0]
    white, black = (result == 255).sum(), (result == 0).sum()
    assert white / (white + black) == pytest.approx(0.2, abs=0.01)


def test_noise_is_scattered_evenly() -> None:
    hit = changed({"op": "salt", "amount": 0.25}, side=320)
    blocks = hit.reshape(20, 16, 20, 16).sum(axis=(1, 3)).ravel()
    assert stats.chisquare(blocks).pvalue > 1e-6
    for rolled in (np.roll(hit, 1, axis=0), np.roll(hit, 1, axis=1)):
        assert abs(np.corrcoef(hit.ravel(), rolled.ravel())[0, 1]) < 5 / math.sqrt(hit.size)


def test_noise_of_seeds_variants_and_steps_is_independent() -> None:
    step: dict[str, object] = {"op": "gaussian_noise", "sigma": 0.1}
    first = made(step, pixels=flat(200, 200)).ravel() - 128
    others = [made(step, pixels=flat(200, 200), seed=2), made(step, pixels=flat(200, 200), variant=1)]
    others.append(made({"op": "brightness", "factor": 1}, step, pixels=flat(200, 200)))
    for other in others:
        assert abs(np.corrcoef(first, other.ravel() - 128)[0, 1]) < 5 / math.sqrt(len(first))


def test_impulse_colours_are_all_equally_likely() -> None:
    result = made({"op": "impulse_noise", "amount": 1}, pixels=flat(300, 300)).reshape(-1, 3)
    for channel in range(3):
        assert stats.chisquare(np.bincount(result[:, channel], minlength=256)).pvalue > 1e-6
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(result[:, one], result[:, other])[0, 1]) < 5 / 300


def test_gaussian_noise_has_the_named_deviation_and_no_mean() -> None:
    noise = made({"op": "gaussian_noise", "sigma": 0.1}, pixels=flat(300, 300)) - 128
    assert noise.std() == pytest.approx(25.5, rel=0.01)
    assert abs(noise.mean()) < 5 * 25.5 / math.sqrt(noise.size)
    assert (
        stats.kstest((noise.ravel() + np.random.default_rng(1).uniform(-0.5, 0.5, noise.size)) / 25.5, "norm").pvalue > 1e-6
    )
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(noise[..., one].ravel(), noise[..., other].ravel())[0, 1]) < 5 / 300


# ------------------------------------------------------------------------------------------------ masks
def hole(height: int, width: int, **fields: object) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns that a cutout hides."""
    step = {"op": "cutout", "color": [0, 0, 0], **fields}
    hidden = made(step, pixels=flat(height, width, 255))[..., 0] == 0
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    assert hidden.sum() == len(rows) * len(columns), "the hole is one rectangle"
    return rows, columns


@pytest.mark.parametrize("area", [0.01, 0.04, 0.25, 0.5])
def test_cutout_is_a_square_of_its_area(area: float) -> None:
    rows, columns = hole(60, 90, area=area)
    assert len(rows) == len(columns)
    assert len(rows) == round(math.sqrt(area * 60 * 90))


def test_cutout_of_everything_hides_everything() -> None:
    for size in ((30, 90), (90, 30), (1, 1), (1, 40)):
        rows, columns = hole(*size, area=1)
        assert (len(rows), len(columns)) == size


def test_a_cutout_longer_than_the_picture_keeps_its_area() -> None:
    rows, columns = hole(20, 180, area=0.5)
    assert (len(rows), len(columns)) == (20, 90)


def test_cutout_reaches_every_place_and_stays_inside() -> None:
    places = [hole(10, 12, area=0.3, across=across / 20, down=0)[1][0] for across in range(21)]
    assert sorted(set(places)) == list(range(12 - 6 + 1))
    assert hole(10, 12, area=0.3, across=1, down=1)[0][-1] == 9


def test_cutout_filled_with_noise_differs_from_pixel_to_pixel() -> None:
    result = made({"op": "cutout", "area": 1, "filling": "noise"}, pixels=flat(200, 200)).reshape(-1, 3)
    for channel in range(3):
        assert stats.chisquare(np.bincount(result[:, channel], minlength=256)).pvalue > 1e-6


def test_grid_mask_hides_the_share_of_each_cell() -> None:
    result = made({"op": "grid_mask", "cells": 8, "share": 0.5, "across": 0, "down": 0}, pixels=flat(80, 120, 255))[..., 0]
    assert np.array_equal(result[:10, :10] == 0, (np.arange(10) < 5)[:, None] & (np.arange(10) < 5))
    assert np.array_equal(result, np.tile(result[:10, :10], (8, 12)))


def test_grid_mask_moves_by_whole_pixels() -> None:
    step: dict[str, object] = {"op": "grid_mask", "cells": 8, "share": 0.5, "down": 0}
    still = made({**step, "across": 0}, pixels=flat(80, 120))
    moved = made({**step, "across": 0.3}, pixels=flat(80, 120))
    assert np.array_equal(moved, np.roll(still, -3, axis=1))


def test_fields_are_frozen_and_checked() -> None:
    step = Recipe.parse({"steps": [{"op": "gamma", "exponent": 2}]}).steps[0]
    assert isinstance(step, Params)
    with pytest.raises(ValueError, match="frozen"):
        step.chance = 0.5
