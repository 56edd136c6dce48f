"""What the operations on windows mean: blurs, edges, morphology, convolution."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.errors import RecipeInvalid
from tests.unit.kernels.marks import halves, point, squares
from tests.unit.kernels.test_pixel_ops import flat, made, random_pixels


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
