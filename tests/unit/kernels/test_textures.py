"""What the operations on patches, textures and fields mean; and that all of these change nothing where nothing is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from kernels import fractals
from kernels.fractals import frequencies, plasma, simplex
from kernels.ops.beta_noise import quantiles
from kernels.tensors import Size
from tests.unit.kernels.marks import colours, halves, photo
from tests.unit.kernels.test_pixel_ops import flat, levels, made, random_pixels

IDENTITY = [[level / 255 for level in range(256)]]


@pytest.mark.parametrize(
    "step",
    [
        {"op": "photometric_distort", "brightness": 0, "contrast": 1, "saturation": 1, "hue": 0, "order": "rgb"},
        {"op": "corner_illumination", "gain": 0},
        {"op": "he_stain", "haematoxylin": 1, "eosin": 1, "haematoxylin_shift": 0, "eosin_shift": 0},
        {"op": "multiplicative_noise", "amplitude": 0},
        {"op": "lookup_table", "table": IDENTITY},
        {"op": "convolve", "kernel": [[1.0]]},
        {"op": "defocus_blur", "radius": 0, "softness": 0.5},
        {"op": "zoom_blur", "factor": 1},
        {"op": "sharpness", "factor": 1},
        {"op": "sharpen", "alpha": 0},
        {"op": "emboss", "alpha": 0},
        {"op": "unsharp_mask", "amount": 0},
        {"op": "directed_edge_detect", "alpha": 0},
        {"op": "morph_open", "size": 1},
        {"op": "morph_close", "size": 1},
        {"op": "pixelate", "size": 1},
        {"op": "downscale", "factor": 1},
        {"op": "plasma_brightness", "intensity": 0},
        {"op": "plasma_contrast", "least": 1, "most": 1},
        {"op": "plasma_shadow", "intensity": 0},
        {"op": "plasma_shadow", "quantity": 0},
        {"op": "sun_flare", "intensity": 0},
        {"op": "lens_flare", "intensity": 0},
        {"op": "beta_noise", "scale": 0},
        {"op": "superpixels", "replace": 0},
        {"op": "voronoi", "replace": 0},
    ],
    ids=lambda step: str(step["op"]),
)
def test_nothing_asked_nothing_changed(step: dict[str, object]) -> None:
    pixels = random_pixels()
    pixels[0, 0], pixels[0, 1] = 255, 0
    assert np.array_equal(made(step, pixels=pixels), pixels.numpy())


# ------------------------------------------------------------------------------------------------ coarser
def test_large_pixels_are_means() -> None:
    pixels = random_pixels(40, 60)
    result = made({"op": "pixelate", "size": 10}, pixels=pixels)
    means = pixels.numpy().reshape(4, 10, 6, 10, 3).mean(axis=(1, 3))
    assert np.abs(result - np.kron(means, np.ones((10, 10, 1)))).max() <= 0.51


def test_downscaled_detail_is_gone() -> None:
    pixels = photo()
    for down, up in itertools.product(("nearest", "area"), ("nearest", "linear", "cubic")):
        result = made({"op": "downscale", "factor": 0.25, "down": down, "up": up}, pixels=pixels)
        detail, before = (np.abs(np.diff(each.astype(int), axis=1)).mean() for each in (result, pixels.numpy()))
        assert detail < before
    squares = made({"op": "downscale", "factor": 0.25, "down": "nearest", "up": "nearest"}, pixels=pixels)
    assert np.array_equal(squares, np.kron(squares[::4, ::4], np.ones((4, 4, 1), dtype=int)))


def test_superpixels_follow_edges_and_stones_do_not() -> None:
    pixels = halves(60, 90, 40, 220)
    assert np.array_equal(made({"op": "superpixels", "segments": 23, "replace": 1}, pixels=pixels), pixels.numpy())
    assert colours(made({"op": "voronoi", "cells": 7, "replace": 1}, pixels=pixels)) > 2
    for step in ({"op": "superpixels", "segments": 50}, {"op": "voronoi", "cells": 6}):
        result = made({**step, "replace": 1}, pixels=photo())
        assert 35 <= colours(result) <= 60
        assert np.abs(result.mean(axis=(0, 1)) - photo().numpy().mean(axis=(0, 1))).max() < 1
        some = made({**step, "replace": 0.5}, pixels=photo())
        assert 0.2 < np.all(some == photo().numpy(), axis=-1).mean() < 0.8


def test_cartoons_have_black_lines_beside_edges() -> None:
    step = {"op": "cartoon", "reach": 3, "color": 0.1, "saturation": 1, "outline": 7, "offset": 0.05}
    row = made(step, pixels=halves())[12, :, 0]
    assert np.flatnonzero(row == 0).tolist() == [17, 18, 19]
    assert set(np.unique(row)) == {0, 60, 180}


def test_halftone_dots_keep_the_mean_about() -> None:
    for level in (60, 128, 200):
        result = made({"op": "halftone", "size": 8, "degrees": 20, "ink": "grey"}, pixels=flat(80, 80, level))
        assert result.mean() == pytest.approx(level, abs=30)
        assert np.mean((result < 20) | (result > 235)) > 0.6
    assert colours(made({"op": "halftone", "size": 8, "degrees": 20, "ink": "color"}, pixels=flat(80, 80))) > 3


# ------------------------------------------------------------------------------------------------ noise, fields, light
@pytest.mark.parametrize(
    ("step", "sigma"),
    [
        ({"op": "multiplicative_noise", "amplitude": 0.3}, 0.3 * 128 / np.sqrt(3)),
        ({"op": "beta_noise", "alpha": 2, "beta": 2, "scale": 0.2}, 51 / np.sqrt(5)),
        ({"op": "beta_noise", "alpha": 0.5, "beta": 0.5, "scale": 0.2}, 51 / np.sqrt(2)),
    ],
    ids=["multiplicative_noise", "beta_noise_2", "beta_noise_0.5"],
)
def test_noise_has_its_spread_and_no_bias(step: dict[str, object], sigma: float) -> None:
    result = made(step, pixels=flat(300, 300)) - 128.0
    assert result.std() == pytest.approx(sigma, rel=0.03)
    assert abs(result.mean()) < 0.3


def test_multiplicative_noise_of_whole_pixels_keeps_grey() -> None:
    result = made({"op": "multiplicative_noise", "amplitude": 0.5, "per_channel": False}, pixels=levels())
    assert np.ptp(result, axis=-1).max() == 0


def test_an_even_beta_distribution_is_even() -> None:
    angles, below = quantiles(1.0, 1.0)
    assert np.abs(np.sin(angles) ** 2 - below).max() < 1e-6


def test_a_lost_picture_is_one_colour() -> None:
    assert colours(made({"op": "total_dropout", "color": [0.2, 0.4, 0.6]}, pixels=random_pixels())) == 1


def test_fields_are_the_seeds_and_smooth() -> None:
    size = Size(90, 120)
    for field in (
        lambda seed: plasma(size, seed, 0.4),
        lambda seed: simplex(size, seed, 5),
        lambda seed: frequencies(size, seed, -2.0),
    ):
        one, same, other = field((1, 2)), field((1, 2)), field((1, 3))
        assert one.shape == size
        assert torch.equal(one, same)
        assert (one - other).abs().mean() > 0.05
        assert one.diff(dim=1).abs().max() < 0.2 * (one.max() - one.min())
    rough, smooth = plasma(size, (1, 2), 0.7), plasma(size, (1, 2), 0.1)
    assert rough.diff(dim=1).abs().mean() > 2 * smooth.diff(dim=1).abs().mean()
    assert abs(simplex(Size(200, 200), (1, 2), 20).mean()) < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 7), (257, 131), (131, 257)])
@pytest.mark.parametrize("at_once", [1000, 2**16])
def test_simplex_noise_of_many_rows_is_that_of_each(
    size: tuple[int, int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fractals, "_PIXELS_AT_ONCE", 1)
    row_by_row = simplex(Size(*size), (3, 4), 7)
    monkeypatch.setattr(fractals, "_PIXELS_AT_ONCE", at_once)
    assert torch.equal(simplex(Size(*size), (3, 4), 7), row_by_row)


def test_simplex_noise_of_a_tall_picture_takes_as_few_calls_as_that_of_a_wide_one() -> None:
    """Each costs microseconds, however few pixels it has."""
    assert calls(Size(16_000, 2)) == calls(Size(2, 16_000)) < 200


def calls(size: Size) -> int:
    """How many of torch's functions simplex noise calls."""
    called: list[object] = []

    class Counted(TorchFunctionMode):
        def __torch_function__(
            self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            called.append(func)
            return func(*args, **(kwargs or {}))

    with Counted():
        simplex(size, (3, 4), 7)
    return len(called)


def test_clouds_of_light_contrast_and_shadow() -> None:
    light = made({"op": "plasma_brightness", "intensity": 0.4}, pixels=flat(60, 80))
    assert (light.min(), light.max()) == (128 - 51, 128 + 51)
    even = made({"op": "plasma_contrast", "least": 0, "most": 0}, pixels=random_pixels())
    assert np.all(even == 128)
    shadow = made({"op": "plasma_shadow", "intensity": 0.5, "quantity": 0.5}, pixels=flat(60, 80, 200))
    assert (shadow.min(), shadow.max()) == (100, 200)


def test_blends_are_the_picture_here_and_its_other_form_there() -> None:
    for name in ("simplex", "frequency"):
        step = {"op": f"blend_alpha_{name}_noise", "form": "invert", "gain": 50}
        result = made(step, pixels=flat(80, 80, 30))[..., 0]
        assert (np.abs(result - 30) < 3).mean() > 0.1
        assert (np.abs(result - 225) < 3).mean() > 0.1


def test_flares_shine_where_they_are() -> None:
    sun = {"op": "sun_flare", "across": 0.25, "down": 0.5, "radius": 0.4, "circles": 0, "intensity": 1}
    shone = made(sun, pixels=flat(40, 80, 50))[..., 0]
    assert np.unravel_index(shone.argmax(), shone.shape) in ((19, 19), (19, 20), (20, 19), (20, 20))
    assert np.all(shone[:, 40:] == 50)
    discs = made({**sun, "circles": 9, "degrees": 0}, pixels=flat(40, 80, 50))[..., 0]
    assert np.any(discs[:, 40:] > 50)
    lamp = {"op": "lens_flare", "across": 0.5, "down": 0.25, "intensity": 0.8, "ghosts": 0, "streak": 0.5}
    lit = made(lamp, pixels=flat(80, 80, 50))[..., 0]
    assert lit[20, 5] > lit[30, 5] + 20, "the streak is level"
    assert np.all(made({**lamp, "ghosts": 8}, pixels=flat(80, 80, 50))[..., 0] >= lit)
