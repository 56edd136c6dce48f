"""encode: the asked format, the same bytes every time, no metadata."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kernels.codec import decode, encode, probe
from kernels.errors import ImageDimensions
from kernels.recipe import Output
from tests.helpers.pictures import make_image, make_photo

PHOTO = make_photo("astronaut", 120, 160)


def output(form: str, **fields: Any) -> Output:
    return Output.model_validate({"format": form, **fields})


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def psnr(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_the_picture_comes_back(form: str) -> None:
    content = encode(PHOTO, output(form))
    assert probe(content).format == form
    assert psnr(decode(content), PHOTO) > 30
    image = opened(content)
    assert (image.format, image.mode, image.size) == (form.upper(), "RGB", (160, 120))


def test_png_is_exact() -> None:
    for picture in (make_image(1, 1), make_image(33, 17), PHOTO, make_image(9, 9, 4)):
        content = encode(picture, output("png", alpha="keep"))
        np.testing.assert_array_equal(decode(content, alpha="keep"), picture)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_the_same_bytes_every_time(form: str) -> None:
    assert encode(PHOTO, output(form)) == encode(PHOTO.copy(), output(form))


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_there_is_no_metadata(form: str) -> None:
    image = opened(encode(PHOTO, output(form)))
    assert not image.getexif()
    assert not {"icc_profile", "exif", "xmp", "comment"} & set(image.info)


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_quality_costs_bytes(form: str) -> None:
    sizes = [len(encode(PHOTO, output(form, quality=quality))) for quality in (1, 30, 60, 90, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 4


def test_jpeg_colour_is_sampled_at_half_rate() -> None:
    assert opened(encode(PHOTO, output("jpeg"))).layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]  # JPEG's own


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_dropped_alpha_lies_on_black(form: str) -> None:
    picture = np.dstack([np.full((16, 16, 3), 200, np.uint8), np.zeros((16, 16), np.uint8)])
    back = decode(encode(picture, output(form)), alpha="keep")
    assert back.shape == (16, 16, 3)
    assert back.max() <= 2


@pytest.mark.parametrize("form", ["png", "webp"])
def test_kept_alpha_is_kept(form: str) -> None:
    picture = np.dstack([PHOTO, np.repeat(np.arange(160, dtype=np.uint8)[None], 120, axis=0)])
    back = decode(encode(picture, output(form, alpha="keep", quality=100)), alpha="keep")
    np.testing.assert_array_equal(back[:, :, 3], picture[:, :, 3])


def test_pixels_that_are_not_contiguous() -> None:
    for form in ("jpeg", "png", "webp"):
        assert encode(PHOTO[:, ::-1], output(form)) == encode(PHOTO[:, ::-1].copy(), output(form))


def test_a_picture_wider_than_webp_allows() -> None:
    wide = np.zeros((1, 16_384, 3), np.uint8)
    with pytest.raises(ImageDimensions, match="16383"):
        encode(wide, output("webp"))
    assert probe(encode(wide, output("jpeg"))).width == 16_384
