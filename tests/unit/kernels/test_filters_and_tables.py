"""What the operations on tables, windows, textures and patches mean."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kernels.errors import RecipeInvalid
from kernels.fractals import frequencies, plasma, simplex
from kernels.ops.beta_noise import quantiles
from kernels.tensors import Size
from tests.helpers.pictures import make_photo
from tests.unit.kernels.test_pixel_ops import PURE, flat, levels, made, random_pixels

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


def point(side: int = 41) -> torch.Tensor:
    """One white pixel in the middle of black."""
    pixels = flat(side, side, 0)
    pixels[side // 2, side // 2] = 255
    return pixels


def halves(height: int = 24, width: int = 40, dark: int = 60, bright: int = 180) -> torch.Tensor:
    """Dark on the left, bright on the right."""
    pixels = flat(height, width, dark)
    pixels[:, width // 2 :] = bright
    return pixels


def squares(side: int = 40) -> torch.Tensor:
    """A bright square of 16 on mid-grey, a bright speck above it and a dark one in it."""
    pixels = flat(side, side, 100)
    pixels[12:28, 12:28] = 200
    pixels[4, 20], pixels[20, 20] = 255, 0
    return pixels


def photo() -> torch.Tensor:
    return torch.from_numpy(make_photo("astronaut", 120, 160))


def colours(pixels: NDArray[np.int64] | torch.Tensor) -> int:
    return len(np.unique(np.asarray(pixels).reshape(-1, 3), axis=0))


# ------------------------------------------------------------------------------------------------ tables
def test_equalized_levels_are_as_frequent_as_each_other() -> None:
    dark = random_pixels(64, 64) // 4 + 20
    for of in ("channels", "grey"):
        result = made({"op": "equalize", "of": of}, pixels=dark)
        assert result.min() < 8 or of == "grey"
        assert np.ptp(result) > 2.9 * np.ptp(dark.numpy())
    shares = np.bincount(made({"op": "equalize"}, pixels=dark)[..., 0].ravel() // 64, minlength=4) / 64**2
    assert shares == pytest.approx([0.25] * 4, abs=0.06)


def test_equalized_bytes_are_equalized_planes() -> None:
    photo = torch.from_numpy(make_photo("chelsea", 90, 110))
    invert: dict[str, object] = {"op": "invert"}
    for pixels in (photo, photo // 3, flat(5, 7)):
        of_bytes = made({"op": "equalize"}, pixels=pixels)
        assert np.array_equal(of_bytes, made(invert, invert, {"op": "equalize"}, pixels=pixels))


def test_clahe_sees_details_of_dark_and_of_bright_parts() -> None:
    pixels = halves(64, 64, 30, 200)
    pixels[::2, ::2] += 6
    plain = made({"op": "equalize", "of": "grey"}, pixels=pixels)
    local = made({"op": "clahe", "clip": 40, "grid": 4}, pixels=pixels)
    for part in (slice(8, 24), slice(40, 56)):
        assert np.ptp(local[8:-8, part]) > 4 * 6
    assert np.ptp(plain[:, :32]) > 0


@pytest.mark.parametrize(("height", "width"), [(48, 64), (61, 131), (1, 1), (1, 40), (37, 2)])
def test_a_step_on_bytes_does_as_it_does_on_planes(height: int, width: int) -> None:
    pixels = random_pixels(height, width)
    steps: list[dict[str, object]] = [{"op": "invert"}]
    for share in (0.0, 0.07, 0.3, 1.0):
        place: dict[str, object] = {"across": 0.3 + share / 2, "down": 0.9, "color": [0.5, 0.1234, 1.0]}
        steps.append({"op": "cutout", "area": share, **place})
        steps += [{"op": "random_erasing", "scale": share, "ratio": ratio, **place} for ratio in (0.3, 1.0, 3.3)]
    invert: dict[str, object] = {"op": "invert"}
    for step in steps:
        assert np.array_equal(made(step, pixels=pixels), made(invert, invert, step, pixels=pixels)), step


def test_a_step_on_bytes_leaves_its_picture_as_it_is() -> None:
    pixels = random_pixels(20, 30)
    before = pixels.clone()
    for name in ("invert", "cutout", "random_erasing"):
        made({"op": name}, pixels=pixels)
        assert torch.equal(pixels, before)


def test_a_table_that_turns_levels_round_inverts() -> None:
    table = [IDENTITY[0][::-1]]
    pixels = random_pixels()
    assert np.array_equal(made({"op": "lookup_table", "table": table}, pixels=pixels), 255 - pixels.numpy())
    one = made({"op": "lookup_table", "table": [*table, *IDENTITY, *IDENTITY]}, pixels=pixels)
    assert np.array_equal(one, np.concatenate([255 - pixels[..., :1], pixels[..., 1:]], axis=-1))


def test_two_tables_are_refused() -> None:
    with pytest.raises(RecipeInvalid, match="one list for all channels, or three"):
        made({"op": "lookup_table", "table": IDENTITY * 2}, pixels=flat(4, 4))


def test_otsu_parts_two_groups() -> None:
    pixels = halves(dark=70, bright=150) + random_pixels(24, 40)[..., :1] // 16
    result = made({"op": "otsu_threshold"}, pixels=pixels)
    assert np.array_equal(result[..., 0], np.where(np.arange(40) < 20, 0, 255) + np.zeros((24, 1)))


def test_adaptive_threshold_reads_a_page_in_uneven_light() -> None:
    page = torch.linspace(80, 250, 120).to(torch.uint8)[None, :, None].expand(40, 120, 3).clone()
    ink = np.zeros((40, 120), dtype=bool)
    ink[10:30, 4:116:8] = True
    page[torch.from_numpy(ink)] -= 50
    for mean in ("box", "gaussian"):
        result = made({"op": "adaptive_threshold", "size": 15, "offset": 0.07, "mean": mean}, pixels=page)
        assert np.array_equal(result[..., 0] == 0, ink)


def test_kmeans_finds_the_colours_that_there_are() -> None:
    few = random_pixels(8, 8)[0, :5]
    pixels = few[torch.arange(40 * 50) % 5].view(40, 50, 3)
    for wanted in (5, 9):
        assert np.array_equal(made({"op": "kmeans_color_quantize", "colors": wanted}, pixels=pixels), pixels.numpy())
    result = made({"op": "kmeans_color_quantize", "colors": 6}, pixels=photo())
    assert colours(result) == 6
    assert np.abs(result - photo().numpy()).mean() < 25


def test_colour_spaces_of_pure_colours() -> None:
    def numbers(space: str) -> list[list[int]]:
        return made({"op": "color_space_convert", "space": space}, pixels=PURE)[0].tolist()

    assert numbers("hsv")[:4] == [[0, 255, 255], [85, 255, 255], [170, 255, 255], [0, 0, 128]]
    assert numbers("hls")[0] == [0, 128, 255]
    assert numbers("lab")[5] == [255, 128, 128]
    assert numbers("ycrcb")[3] == numbers("yuv")[3] == [128, 128, 128]
    assert numbers("xyz")[4] == [0, 0, 0]


def test_photometric_distort_is_its_parts() -> None:
    parts = {"brightness": 0.2, "contrast": 1, "saturation": 1, "hue": 0, "order": "bgr"}
    pixels = random_pixels()
    expected = made(
        {"op": "brightness", "factor": 1, "offset": 0.2}, {"op": "channel_shuffle", "order": "bgr"}, pixels=pixels
    )
    assert np.array_equal(made({"op": "photometric_distort", **parts}, pixels=pixels), expected)


def test_stains_leave_glass_white_and_darken_tissue() -> None:
    step = {"op": "he_stain", "haematoxylin": 2, "eosin": 1, "haematoxylin_shift": 0, "eosin_shift": 0}
    nucleus = torch.tensor([[[255, 255, 255], [120, 80, 160]]], dtype=torch.uint8)
    glass, stained = made(step, pixels=nucleus)[0]
    assert glass.tolist() == [255, 255, 255]
    assert np.all(stained < [120, 80, 160])
    assert stained[2] > stained[0] > stained[1]


def test_light_of_a_corner() -> None:
    result = made({"op": "corner_illumination", "gain": 0.4, "corner": "bottom_right"}, pixels=flat(40, 60, 50))[..., 0]
    assert result[-1, -1] == pytest.approx(50 + 102, abs=2)
    assert result[0, 0] == pytest.approx(50, abs=2)
    assert result[0, -1] == pytest.approx(50 + 51, abs=2)
    assert result[-1, 0] == pytest.approx(50 + 51, abs=2)


# ------------------------------------------------------------------------------------------------ blurs
def test_a_point_in_motion_is_a_line() -> None:
    level = made({"op": "motion_blur", "size": 15, "degrees": 0, "direction": 0}, pixels=point())[..., 0]
    assert np.flatnonzero(level.sum(axis=0)).tolist() == list(range(13, 28))
    assert np.flatnonzero(level.sum(axis=1)).tolist() == [20]
    upright = made({"op": "motion_blur", "size": 15, "degrees": 90, "direction": 0}, pixels=point())[..., 0]
    assert np.array_equal(level, upright.T)
    fading = made({"op": "motion_blur", "size": 15, "degrees": 0, "direction": 1}, pixels=point())[20, 13:28, 0]
    assert np.all(np.diff(fading) >= 0) or np.all(np.diff(fading) <= 0)
    assert fading[0] != fading[-1]


def test_a_point_out_of_focus_is_a_disc() -> None:
    result = made({"op": "defocus_blur", "radius": 5, "softness": 1}, pixels=point())[..., 0]
    assert result.max() == pytest.approx(255 / (np.pi * 25), abs=0.6)
    assert (result > 0).sum() == pytest.approx(np.pi * 25, rel=0.15)


def test_advanced_blur_is_long_along_its_axis() -> None:
    step = {"op": "advanced_blur", "size": 31, "sigma_x": 8, "sigma_y": 0.6, "degrees": 45, "beta": 1, "noise": 0}
    rows, columns = np.nonzero(made(step, pixels=point())[..., 0])
    assert np.corrcoef(rows, columns)[0, 1] < -0.9, "rows count downwards: a line that rises"
    uneven = made({**step, "noise": 0.5}, pixels=point())
    assert not np.array_equal(uneven, made({**step, "noise": 0.5}, pixels=point(), variant=1))


def test_ringing_shoots_over_an_edge() -> None:
    result = made({"op": "ringing_overshoot", "size": 21, "cutoff": 0.8}, pixels=halves())[12, :, 0]
    assert result.max() > 182
    assert result.min() < 58


def test_zooming_leaves_the_middle_and_blurs_the_corners() -> None:
    pixels = random_pixels(61, 61)
    result = made({"op": "zoom_blur", "factor": 1.3, "step": 0.02}, pixels=pixels)
    assert np.array_equal(result[30, 30], pixels[30, 30].numpy())
    assert result[:10, :10].std() < 0.7 * result[25:36, 25:36].std()


def test_glass_moves_pixels_no_farther_than_it_says() -> None:
    step = {"op": "glass_blur", "sigma": 0, "delta": 3, "rounds": 1}
    result = made(step, pixels=halves())[..., 0]
    assert set(np.unique(result)) == {60, 180}
    assert np.all(result[:, :17] == 60)
    assert np.all(result[:, 23:] == 180)
    assert np.any(result[:, 17:20] == 180)


@pytest.mark.parametrize(
    "step",
    [
        {"op": "bilateral_blur", "size": 9, "sigma_color": 0.3, "sigma_space": 3},
        {"op": "mean_shift_blur", "reach": 4, "color": 0.15},
    ],
    ids=lambda step: str(step["op"]),
)
def test_noise_goes_and_edges_stay(step: dict[str, object]) -> None:
    noisy = halves() + random_pixels(24, 40)[..., :1] // 16
    result = made(step, pixels=noisy)[..., 0]
    assert result[:, :18].std() < 0.6 * noisy[:, :18].double().std()
    assert result[:, 20].mean() - result[:, 19].mean() > 100


# ------------------------------------------------------------------------------------------------ edges
@pytest.mark.parametrize(
    "step",
    [
        {"op": "sharpness", "factor": 2},
        {"op": "sharpen", "alpha": 0.3, "lightness": 1},
        {"op": "unsharp_mask", "sigma": 1, "amount": 1, "threshold": 0},
        {"op": "emboss", "alpha": 0.5, "strength": 0},
    ],
    ids=lambda step: str(step["op"]),
)
def test_sharper_edges_and_untouched_flat_parts(step: dict[str, object]) -> None:
    row = made(step, pixels=halves())[12, :, 0]
    assert np.all(row[2:17] == 60)
    assert np.all(row[23:38] == 180)
    assert np.ptp(row) > 120


def test_unsharp_mask_leaves_what_is_below_its_threshold() -> None:
    pixels = halves(dark=100, bright=104)
    assert np.array_equal(made({"op": "unsharp_mask", "threshold": 0.05}, pixels=pixels), pixels.numpy())


def test_edges_of_one_direction() -> None:
    towards, away = (
        made({"op": "directed_edge_detect", "alpha": 1, "degrees": degrees}, pixels=halves())[12, :, 0]
        for degrees in (0, 180)
    )
    assert towards[19] == towards[20] == 120
    assert away.max() == 0


def test_laplacian_is_black_where_nothing_changes() -> None:
    result = made({"op": "laplacian", "gain": 1}, pixels=point())[..., 0]
    assert np.flatnonzero(result.sum(axis=0)).tolist() == [19, 20, 21]
    assert result[20, 20] == 128


def test_canny_draws_closed_lines_one_pixel_wide() -> None:
    pixels = flat(40, 40, 50)
    pixels[10:30, 10:30] = 200
    result = made({"op": "canny", "low": 0.1, "high": 0.3}, pixels=pixels)[..., 0]
    assert set(np.unique(result)) == {0, 255}
    assert (result > 0).sum() == pytest.approx(4 * 20, abs=6)
    assert not (result[12:28, 12:28] > 0).any()


# ------------------------------------------------------------------------------------------------ morphology
def test_opening_takes_bright_specks_and_closing_dark_ones() -> None:
    pixels = squares()
    without_bright, without_dark = pixels.numpy().astype(int), pixels.numpy().astype(int)
    without_bright[4, 20], without_dark[20, 20] = 100, 200
    for size in (2, 3):
        opened, closed = (made({"op": f"morph_{name}", "size": size}, pixels=pixels) for name in ("open", "close"))
        assert np.array_equal(opened[:11], without_bright[:11])
        assert np.array_equal(closed[13:27, 13:27], without_dark[13:27, 13:27])
        assert np.array_equal(made({"op": "top_hat", "size": size}, pixels=pixels), pixels.numpy() - opened)
        assert np.array_equal(made({"op": "black_hat", "size": size}, pixels=pixels), closed - pixels.numpy())


def test_morph_gradient_is_a_frame() -> None:
    pixels = flat(30, 30, 100)
    pixels[10:20, 10:20] = 200
    result = made({"op": "morph_gradient", "size": 3}, pixels=pixels)[..., 0]
    assert result[15].tolist() == [0] * 9 + [100] * 2 + [0] * 8 + [100] * 2 + [0] * 9


def test_convolving_is_no_mirroring() -> None:
    pixels = random_pixels()
    result = made({"op": "convolve", "kernel": [[0.0, 0.0, 1.0]]}, pixels=pixels)
    assert np.array_equal(result[:, :-1], pixels[:, 1:].numpy())


@pytest.mark.parametrize("kernel", [[[1.0, 1.0]], [[1.0], [1.0]], [[1.0, 2.0, 3.0], [1.0], [1.0, 2.0, 3.0]]])
def test_kernels_without_a_middle_are_refused(kernel: list[list[float]]) -> None:
    with pytest.raises(RecipeInvalid, match="odd"):
        made({"op": "convolve", "kernel": kernel}, pixels=flat(4, 4))


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
