"""What weather, files and things in front of the picture mean, beside their references."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from kernels.codec import decode, encode
from kernels.op import Whole
from kernels.ops import OPS
from kernels.recipe import Output
from kernels.tensors import Size
from kernels.turbulence import turbulence
from tests.helpers.pictures import made, make_photo

PHOTO = make_photo("chelsea", 120, 160)
BLACK, GREY = (np.full((120, 160, 3), level, np.uint8) for level in (0, 128))


def light(pixels: Any) -> float:
    return float(np.asarray(pixels, dtype=np.float64).mean())


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_files_leave_what_the_codec_leaves(form: Any) -> None:
    for quality in (5, 60, 95):
        kept = decode(encode(PHOTO, Output(format=form, quality=quality)))
        assert np.array_equal(made(PHOTO, [{"op": form, "quality": quality}]), kept)


def test_lower_quality_loses_more() -> None:
    for form in ("jpeg", "webp"):
        off = [np.abs(made(PHOTO, [{"op": form, "quality": q}]).astype(int) - PHOTO).mean() for q in (90, 50, 10, 1)]
        assert off == sorted(off)
        assert off[0] < 3


def test_more_passes_lose_more_and_one_is_a_file() -> None:
    step = {"op": "recompress", "quality": 30, "spread": 0, "codec": "jpeg"}
    assert np.array_equal(made(PHOTO, [{**step, "passes": 1}]), made(PHOTO, [{"op": "jpeg", "quality": 30}]))
    varied = {**step, "spread": 20}
    once, often = (made(PHOTO, [{**varied, "passes": passes}]).astype(int) for passes in (1, 8))
    assert np.abs(often - PHOTO).mean() > np.abs(once - PHOTO).mean()


def test_fringes_are_coloured_at_the_edges_and_not_in_the_middle() -> None:
    stripes = np.zeros((100, 100, 3), np.uint8)
    stripes[:, ::10] = stripes[:, 1::10] = 255
    result = made(stripes, [{"op": "chromatic_aberration", "red": 0.05, "blue": -0.05}]).astype(int)
    colour = np.abs(result[..., 0] - result[..., 2])
    assert colour[:, :10].mean() > 10 * max(colour[45:55, 48:52].mean(), 0.1)
    assert np.array_equal(result[..., 1], stripes[..., 1])


def test_jittered_pixels_come_from_nearby() -> None:
    ramp = np.tile(np.arange(160, dtype=np.uint8)[None, :, None], (120, 1, 3))
    moved = made(ramp, [{"op": "pixel_jitter", "reach": 3}])[..., 0].astype(int) - ramp[..., 0]
    inside = moved[:, 3:-3]
    assert set(np.unique(inside)) == set(range(-3, 4))
    shares = np.bincount((inside + 3).ravel()) / inside.size
    assert shares == pytest.approx(1 / 7, abs=0.01)


def test_text_stays_within_the_picture_and_covers_by_its_opacity() -> None:
    step = {"op": "text_overlay", "text": "A long line of text", "size": 0.5, "x": 1, "y": 1, "opacity": 1}
    shown = made(BLACK, [step])[..., 0]
    columns, rows = np.flatnonzero(shown.max(axis=0)), np.flatnonzero(shown.max(axis=1))
    assert shown.max() == 255
    assert columns[0] < 8, "as wide as the picture"
    assert columns[-1] > 150
    assert rows[-1] >= 117, "at the bottom"
    assert rows[0] > 80
    assert made(BLACK, [{**step, "opacity": 0.5}]).max() == 128


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 65, "é"])
def test_text_that_the_font_cannot_show_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="text"):
        OPS["text_overlay"].params(text=text)


def test_rain_leans_and_is_lighter_than_what_it_falls_on() -> None:
    step = {"op": "rain", "drops": 300, "length": 0.2, "degrees": 40, "opacity": 1, "dim": 0}
    shown = made(BLACK, [step])[..., 1].astype(float)
    assert 0.02 < (shown > 100).mean() < 0.6
    # a drop lies further right further down: the picture agrees with itself moved that way, and not the other
    right, left = ((shown[4:, 6:-6] * shown[:-4, 6 - s : 154 - s]).mean() for s in (3, -3))
    assert right > 1.5 * left
    assert light(made(GREY, [{**step, "drops": 0, "dim": 0.5}])) == pytest.approx(64, abs=0.5)


def test_every_part_of_the_picture_gets_rain_and_flakes_alike() -> None:
    for step in (
        {"op": "rain", "drops": 3000, "length": 0.1, "degrees": 20, "opacity": 1, "dim": 0},
        {"op": "snowflakes", "flakes": 2000, "size": 0.05, "softness": 0},
    ):
        shown = made(BLACK, [step]).astype(float)[..., 0]
        parts = [light(part) for row in np.split(shown, 3) for part in np.split(row, 4, axis=1)]
        assert min(parts) > 0.6 * max(parts), step["op"]


def test_snow_lies_on_bright_parts_only() -> None:
    levels = np.tile(np.linspace(0, 255, 160).astype(np.uint8)[None, :, None], (20, 1, 3))
    result = made(levels, [{"op": "snow", "amount": 0.3, "brightness": 1.5}])[0, :, 0]
    dark = levels[0, :, 0] < 0.7 * 255
    assert np.array_equal(result[dark], levels[0, dark, 0])
    assert (result[~dark] >= 250).all()


@pytest.mark.parametrize(("name", "field"), [("fog", "density"), ("sand", "density"), ("frost", "amount")])
def test_more_of_it_hides_more(name: str, field: str) -> None:
    still = {"grain": 0} if name == "sand" else {}
    hidden = [
        np.abs(made(PHOTO, [{"op": name, field: much, **still}]).astype(int) - PHOTO).mean() for much in (0.2, 0.6, 1)
    ]
    assert hidden == sorted(hidden)
    assert hidden[0] < hidden[2] / 1.5


def test_clouds_and_spatter_cover_about_what_they_are_asked_to() -> None:
    for cover in (0.2, 0.5):
        spatter = made(PHOTO, [{"op": "spatter", "cover": cover, "opacity": 1, "liquid": "mud"}])
        assert (spatter == (64, 43, 20)).all(axis=2).mean() == pytest.approx(cover, abs=0.08)
        shares = [
            (made(BLACK, [{"op": "clouds", "cover": cover, "opacity": 1, "scale": 0.1}], seed=seed) > 127).mean()
            for seed in range(8)
        ]
        assert float(np.mean(shares)) == pytest.approx(cover, abs=0.15)


def test_gravel_lies_on_the_ground() -> None:
    result = made(PHOTO, [{"op": "gravel", "stones": 500, "size": 0.05, "ground": 0.4}]).astype(int)
    changed = np.abs(result - PHOTO).max(axis=2) > 8
    assert not changed[:65].any()
    assert changed[80:].mean() > 0.5


def test_turbulence_does_not_depend_on_the_size_of_the_picture() -> None:
    small, large = (turbulence(Size(*size), (1, 2), 20.0, 20.0) for size in ((40, 50), (90, 120)))
    assert np.array_equal(small, large[:40, :50])
    assert 0.4 < float(large.mean()) < 0.6
    assert float(np.abs(np.diff(large, axis=1)).max()) < 0.2


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, op in OPS.items() if isinstance(op.kind, Whole)])
def test_large_pictures_take_bounded_time(name: str) -> None:
    """12 megapixels at both ends of every range, in under a minute of one thread."""
    from tests.unit.kernels.test_every_op import ends

    pixels = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    for params in ends(OPS[name]):
        begun = time.process_time()
        made(pixels, [params.model_dump(mode="json")])
        assert time.process_time() - begun < 60
