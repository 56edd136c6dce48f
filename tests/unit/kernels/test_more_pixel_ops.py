"""What the operations on colour, light, noise and masks mean that other libraries know by these names."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch

from kernels import words
from kernels.shapes import cosine, sine
from tests.unit.kernels.test_pixel_ops import PURE, flat, levels, made, random_pixels


@pytest.mark.parametrize(
    "step",
    [
        {"op": "brightness_contrast", "brightness": 0, "contrast": 1},
        {"op": "rgb_shift", "red": 0, "green": 0, "blue": 0},
        {"op": "channel_gain", "red": 1, "green": 1, "blue": 1},
        {"op": "channel_shuffle", "order": "rgb"},
        {"op": "hsv_shift", "hue": 0, "saturation": 0, "value": 0},
        {"op": "sepia", "strength": 0},
        {"op": "auto_contrast", "cutoff": 0},
        {"op": "planckian_jitter", "temperature": 6500},
        {"op": "fancy_pca", "first": 0, "second": 0, "third": 0},
        {"op": "linear_illumination", "gain": 0},
        {"op": "gaussian_illumination", "gain": 0},
        {"op": "vignetting", "intensity": 0},
        {"op": "polygon_shadow", "intensity": 0},
        {"op": "tone_curve", "shadows": 0, "highlights": 0},
        {"op": "solarize_add", "addition": 0},
        {"op": "speckle_noise", "sigma": 0},
        {"op": "uniform_noise", "amplitude": 0},
        {"op": "laplace_noise", "sigma": 0},
        {"op": "iso_noise", "intensity": 0, "color": 0},
        {"op": "film_grain", "sigma": 0},
        {"op": "pixel_dropout", "amount": 0},
        {"op": "coarse_salt_and_pepper", "amount": 0},
        {"op": "coarse_dropout", "amount": 0},
        {"op": "random_erasing", "scale": 0},
        {"op": "xy_masking", "width": 0, "height": 0},
    ],
    ids=lambda step: str(step["op"]),
)
def test_nothing_asked_nothing_changed(step: dict[str, object]) -> None:
    pixels = random_pixels()
    pixels[0, 0], pixels[0, 1] = 255, 0
    assert np.array_equal(made(step, pixels=pixels), pixels.numpy())


@pytest.mark.parametrize("order", ["rgb", "rbg", "grb", "gbr", "brg", "bgr"])
def test_channel_shuffle(order: str) -> None:
    pixels = random_pixels()
    expected = pixels.numpy()[..., ["rgb".index(name) for name in order]]
    assert np.array_equal(made({"op": "channel_shuffle", "order": order}, pixels=pixels), expected)


def test_hsv_shift_moves_saturation_and_value() -> None:
    step = {"op": "hsv_shift", "hue": 0, "saturation": -0.25, "value": -0.2}
    red = made(step, pixels=PURE)[0, 0] / 255
    assert colorsys.rgb_to_hsv(*red) == pytest.approx((0, 0.75, 0.8), abs=0.01)
    assert len(set(made({**step, "saturation": 1}, pixels=PURE)[0, 3].tolist())) == 1, "grey stays grey"


def test_auto_contrast_fills_the_range_of_each_channel() -> None:
    pixels = random_pixels() // 4 + torch.tensor([10, 60, 150], dtype=torch.uint8)
    result = made({"op": "auto_contrast", "cutoff": 0}, pixels=pixels).reshape(-1, 3)
    assert result.min(axis=0).tolist() == [0, 0, 0]
    assert result.max(axis=0).tolist() == [255, 255, 255]


def test_low_temperatures_are_warm_and_high_ones_cold() -> None:
    for kelvin, warm in ((3000, True), (12_000, False)):
        red, _, blue = made({"op": "planckian_jitter", "temperature": kelvin}, pixels=flat(1, 1))[0, 0]
        assert (red > 128 > blue) if warm else (red < 128 < blue)


def test_light_comes_from_its_side() -> None:
    step = {"op": "linear_illumination", "gain": 0.4}
    up = made({**step, "degrees": 90}, pixels=flat(41, 31, 50))[..., 0]
    assert np.all(np.diff(up[:, 0]) <= 0)
    assert np.all(up == up[:, :1])
    assert up[0, 0] - up[-1, 0] == pytest.approx(0.4 * 255 * 40 / 41, abs=1)
    spot = made({"op": "gaussian_illumination", "gain": 0.4, "across": 0.5, "down": 0.5}, pixels=flat(41, 31, 50))[..., 0]
    assert spot[20, 15] == spot.max() == 50 + 102
    dark = made({"op": "vignetting", "intensity": 0.5, "across": 0.5, "down": 0.5}, pixels=flat(41, 31, 200))[..., 0]
    assert dark[20, 15] == dark.max() == 200
    assert dark[0, 0] == pytest.approx(100, abs=6)


def test_threshold_halves_the_levels() -> None:
    assert made({"op": "threshold", "level": 0.5}, pixels=levels())[..., 0].ravel().tolist() == [0] * 128 + [255] * 128


def test_dithering_keeps_the_mean_of_even_grey() -> None:
    for level in (30, 100, 200):
        result = made({"op": "dithering", "shades": 2}, pixels=flat(64, 64, level))
        assert set(np.unique(result)) == {0, 255}
        assert result.mean() == pytest.approx(level, abs=2.1)


@pytest.mark.parametrize(
    ("step", "sigma"),
    [
        ({"op": "shot_noise", "photons": 100}, 255 * np.sqrt(128 / 255 / 100)),
        ({"op": "speckle_noise", "sigma": 0.1}, 12.8),
        ({"op": "uniform_noise", "amplitude": 0.1}, 25.5 / np.sqrt(3)),
        ({"op": "laplace_noise", "sigma": 0.05}, 12.75),
        ({"op": "iso_noise", "intensity": 0.03, "color": 0.04}, 12.75),
        ({"op": "film_grain", "sigma": 0.05, "size": 2.3}, 12.75),
    ],
    ids=lambda value: value["op"] if isinstance(value, dict) else "",
)
def test_noise_has_its_spread_and_no_bias(step: dict[str, object], sigma: float) -> None:
    result = made(step, pixels=flat(400, 400)) - 128.0
    assert result.std() == pytest.approx(sigma, rel=0.03)
    assert abs(result.mean()) < 0.3


def test_cells_are_square_and_whole() -> None:
    for op in ("coarse_dropout", "coarse_salt_and_pepper"):
        result = made({"op": op, "amount": 0.5, "cells": 8}, pixels=flat(80, 120))[..., 0]
        assert np.array_equal(result, np.kron(result[::10, ::10], np.ones((10, 10), dtype=np.int64)))
        assert 0.3 < (result != 128).mean() < 0.7


def test_per_channel_dropout_takes_single_values() -> None:
    hidden = made({"op": "pixel_dropout", "amount": 0.3, "per_channel": True}, pixels=flat(200, 200)) == 0
    assert hidden.mean() == pytest.approx(0.3, abs=0.01)
    assert np.all(hidden, axis=-1).mean() == pytest.approx(0.027, abs=0.005)


def test_erasing_has_its_area_and_shape() -> None:
    hidden = made({"op": "random_erasing", "scale": 0.2, "ratio": 2}, pixels=flat(100, 100))[..., 0] == 0
    rows, columns = hidden.any(axis=1).sum(), hidden.any(axis=0).sum()
    assert (rows, columns) == (32, 63)
    assert hidden.sum() == rows * columns


def test_strips_cross_the_picture() -> None:
    hidden = made({"op": "xy_masking", "width": 0.1, "height": 0.2}, pixels=flat(50, 60))[..., 0] == 0
    assert hidden.all(axis=0).sum() == 6
    assert hidden.all(axis=1).sum() == 10
    assert hidden.sum() == 6 * 50 + 10 * 60 - 60


def test_sine_and_cosine() -> None:
    turns = torch.linspace(-3, 3, 2001)
    for function, exact in ((sine, torch.sin), (cosine, torch.cos)):
        found = words.bind(function, words.TORCH)(turns)
        torch.testing.assert_close(found, exact(2 * torch.pi * turns.double()).float(), rtol=0, atol=2e-6)


def test_cells_have_numbers_of_their_own() -> None:
    columns, rows = torch.meshgrid(torch.arange(300.0), torch.arange(200.0), indexing="ij")
    assert len(torch.unique(words.TORCH["cell"](columns, rows))) == 300 * 200
    assert words.TORCH["cell"](torch.tensor(16_384.0), torch.tensor(16_384.0)).item() < 2**30
