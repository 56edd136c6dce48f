"""What the operations on tables and colours mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kernels.errors import RecipeInvalid
from tests.helpers.pictures import make_photo
from tests.unit.kernels.marks import colours, halves, photo
from tests.unit.kernels.test_pixel_ops import PURE, flat, made, random_pixels

IDENTITY = [[level / 255 for level in range(256)]]


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
