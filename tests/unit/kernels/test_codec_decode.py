"""decode and probe on sound files: every format and every odd kind of pixels becomes upright 8-bit sRGB."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageCms

from kernels.codec import CODEC_VERSION, decode, probe
from kernels.errors import ImageCorrupt, ImageTruncated
from tests.helpers.picture_files import FORMATS, chunk, exif, png_file, saved, srgb_profile, swapped_profile
from tests.helpers.pictures import make_image, make_photo

Pixels = NDArray[np.uint8]
PHOTO = make_photo("astronaut", 90, 130)


def by_pillow(content: bytes, mode: str = "RGB") -> Pixels:
    with Image.open(BytesIO(content)) as image:
        return np.array(image.convert(mode))


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """What EXIF 2.3 says, table 6: where row 0 and column 0 of the stored picture are seen."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[:, ::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[::-1],
    }[orientation]


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_decodes_as_pillow_does(name: str) -> None:
    form, options = FORMATS[name]
    content = saved(PHOTO, form, **options)
    pixels, header = decode(content), probe(content)
    assert (header.format, header.width, header.height, header.frames, header.orientation) == (form.lower(), 130, 90, 1, 1)
    assert header.media_type == f"image/{form.lower()}"
    assert pixels.dtype == np.uint8
    assert pixels.shape == (90, 130, 3)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    assert np.abs(pixels.astype(int) - by_pillow(content)).max() <= 1


@pytest.mark.parametrize("name", FORMATS)
def test_a_single_pixel(name: str) -> None:
    form, options = FORMATS[name]
    content = saved(np.full((1, 1, 3), 128, np.uint8), form, **options)
    assert (probe(content).width, probe(content).height) == (1, 1)
    assert np.abs(decode(content).astype(int) - 128).max() <= 3


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (7, 5), (17, 9)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_odd_sides(form: str, shape: tuple[int, int]) -> None:
    content = saved(make_image(*shape), form)
    assert decode(content).shape == (*shape, 3)
    assert np.abs(decode(content).astype(int) - by_pillow(content)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_orientation_is_applied_once(form: str, orientation: int) -> None:
    stored = np.kron(make_image(3, 5), np.ones((16, 16, 1), np.uint8))
    lossless = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100}}.get(
        form, {}
    )
    plain = saved(stored, form, **lossless)
    if form == "TIFF":
        content = saved(stored, form, tiffinfo={274: orientation})
    else:
        content = saved(stored, form, exif=exif(orientation), **lossless)
    header, pixels = probe(content), decode(content)
    expected = turned(decode(plain), orientation)
    assert (header.height, header.width) == pixels.shape[:2] == expected.shape[:2]
    assert header.orientation == orientation
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_in_either_byte_order(order: str) -> None:
    content = saved(PHOTO, "JPEG", exif=exif(6, order))
    assert (probe(content).width, probe(content).height) == (90, 130)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    assert probe(saved(PHOTO, "JPEG", exif=exif(value))).orientation == 1


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + bytes(40), b"junk" * 9]
)
def test_damaged_exif_is_ignored(block: bytes) -> None:
    segment = b"Exif\0\0" + block
    plain = saved(PHOTO, "JPEG")
    content = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    assert probe(content).orientation == 1
    np.testing.assert_array_equal(decode(content), decode(plain))


def test_exif_as_imagemagick_wrote_it_into_png() -> None:
    block = exif(8)
    text = f"\nexif\n{len(block):8d}\n{block.hex()}\n".encode()
    content = png_file(make_image(4, 6), before=[chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))])
    np.testing.assert_array_equal(decode(content), turned(make_image(4, 6), 8))


def test_grey_jpeg_has_three_equal_channels() -> None:
    content = saved(Image.fromarray(PHOTO).convert("L"), "JPEG")
    pixels = decode(content)
    assert (pixels == pixels[:, :, :1]).all()
    np.testing.assert_array_equal(pixels, by_pillow(content))


def test_inks_become_light() -> None:
    content = saved(Image.fromarray(PHOTO).convert("CMYK"), "JPEG", quality=100, subsampling=0)
    assert np.abs(decode(content).astype(int) - by_pillow(content)).max() <= 2
    assert np.abs(decode(content).astype(int) - PHOTO).mean() < 2


def test_tiff_inks() -> None:
    content = saved(Image.fromarray(PHOTO).convert("CMYK"), "TIFF")
    assert np.abs(decode(content).astype(int) - PHOTO).max() <= 1


def test_a_jpeg_whose_channels_are_sampled_unusually() -> None:
    # every block of a flat picture is two zero bits, so the factors can be changed under it
    plain = bytearray(saved(np.full((16, 16, 3), 128, np.uint8), "JPEG", subsampling=0, optimize=True))
    frame = plain.index(b"\xff\xc0")
    for component, factors in enumerate((0x22, 0x21, 0x12)):
        plain[frame + 11 + 3 * component] = factors
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg(bytes(plain))
    np.testing.assert_array_equal(decode(bytes(plain)), np.full((16, 16, 3), 128))
    with pytest.raises(ImageTruncated):
        decode(bytes(plain[:-4]))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_every_mode(form: str, mode: str) -> None:
    source = Image.fromarray(PHOTO)
    if mode == "I;16":
        levels = np.arange(90 * 130, dtype=np.uint16).reshape(90, 130) * np.uint16(5)
        content = saved(Image.fromarray(levels), form)
        expected = np.rint(levels / 257).astype(np.uint8)[:, :, None].repeat(3, 2)
    else:
        if mode in ("LA", "RGBA"):
            source.putalpha(Image.fromarray(make_image(90, 130, 1)[:, :, 0]))
        content = saved(source.convert(mode), form)
        expected = by_pillow(content, "RGBA").astype(np.float64)
        expected = np.rint(expected[:, :, :3] * expected[:, :, 3:] / 255).astype(np.uint8)
    np.testing.assert_array_equal(decode(content), expected)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_kept_on_request(form: str) -> None:
    source = make_image(20, 30, 4)
    content = saved(source, form, **({"lossless": True, "exact": True} if form == "WEBP" else {}))
    np.testing.assert_array_equal(decode(content, alpha="keep"), source)
    assert decode(content).shape == (20, 30, 3)
    assert decode(saved(source[:, :, :3].copy(), form), alpha="keep").shape == (20, 30, 3)


def test_alpha_turns_with_the_picture() -> None:
    source = make_image(20, 30, 4)
    content = saved(source, "PNG", exif=exif(6))
    np.testing.assert_array_equal(decode(content, alpha="keep"), turned(source, 6))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_foreign_profile_is_converted(form: str) -> None:
    plain = saved(PHOTO, form)
    content = saved(PHOTO, form, icc_profile=swapped_profile())
    reference = ImageCms.profileToProfile(
        Image.fromarray(decode(plain)),
        ImageCms.ImageCmsProfile(BytesIO(swapped_profile())),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert np.abs(decode(content).astype(int) - np.array(reference)).max() <= 2
    # what the profile means: red and green change places
    assert np.abs(decode(content).astype(int) - decode(plain)[:, :, [1, 0, 2]]).max() <= 3


@pytest.mark.parametrize("profile", [srgb_profile(), b"no profile at all" * 9, swapped_profile()[:200]])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_srgb_and_damaged_profiles_change_nothing(form: str, profile: bytes) -> None:
    np.testing.assert_array_equal(decode(saved(PHOTO, form, icc_profile=profile)), decode(saved(PHOTO, form)))


def test_a_profile_for_other_colours_is_ignored() -> None:
    grey = saved(Image.fromarray(PHOTO).convert("L"), "JPEG", icc_profile=swapped_profile())
    np.testing.assert_array_equal(decode(grey), decode(saved(Image.fromarray(PHOTO).convert("L"), "JPEG")))


def test_a_profile_in_many_segments() -> None:
    long = swapped_profile() + bytes(150_000)
    assert (
        np.abs(
            decode(saved(PHOTO, "JPEG", icc_profile=long)).astype(int) - decode(saved(PHOTO, "JPEG"))[:, :, [1, 0, 2]]
        ).max()
        <= 3
    )


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_frame_of_several(form: str) -> None:
    first, second = make_image(24, 32), np.zeros((24, 32, 3), np.uint8)
    options = {"lossless": True} if form == "WEBP" else {"quality": 100} if form == "AVIF" else {}
    content = saved(
        first, form, save_all=True, append_images=[Image.fromarray(second), Image.fromarray(second + 99)], **options
    )
    assert probe(content).frames == 3
    assert np.abs(decode(content).astype(int) - by_pillow(content)).max() <= 1


def test_a_gif_frame_smaller_than_its_screen() -> None:
    small = saved(Image.fromarray(PHOTO[:10, :12]).quantize(8), "GIF")
    content = small[:6] + struct.pack("<HH", 40, 30) + small[10:]
    assert decode(content).shape == (30, 40, 3)
    assert (probe(content).width, probe(content).height) == (40, 30)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits"])
def test_sixteen_bit_colour_tiff_is_rounded(compression: str | None) -> None:
    values = np.random.default_rng(2).integers(0, 65536, (40, 30, 3)).astype(np.uint16)
    written, content = cv2.imencode(
        ".tiff", values, [cv2.IMWRITE_TIFF_COMPRESSION, {None: 1, "tiff_lzw": 5, "packbits": 32773}[compression]]
    )
    assert written
    np.testing.assert_array_equal(decode(content.tobytes())[:, :, ::-1], np.rint(values / 257).astype(np.uint8))


def test_two_colour_fax() -> None:
    content = saved(Image.fromarray(PHOTO).convert("1"), "TIFF", compression="group4")
    np.testing.assert_array_equal(decode(content), by_pillow(content))


def rle8(pixels: Pixels) -> bytes:
    """A run-length encoded BMP of a grey picture, every run one pixel long."""
    height, width = pixels.shape
    rows = [b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in pixels[::-1]]
    body = b"".join(rows) + b"\0\1"
    palette = b"".join(bytes((level, level, level, 0)) for level in range(256))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(body), 0, 0, 54 + 1024) + head + palette + body


def test_run_lengths() -> None:
    grey = make_image(9, 14, 1)[:, :, 0]
    np.testing.assert_array_equal(decode(rle8(grey)), grey[:, :, None].repeat(3, 2))


def test_junk_after_the_end_is_not_looked_at() -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        content = saved(PHOTO, form)
        np.testing.assert_array_equal(decode(content + b"\xff\xd8PK\3\4<script>" * 99), decode(content))


def test_junk_between_jpeg_segments_and_before_the_end_marker() -> None:
    content = saved(PHOTO, "JPEG")
    table = content.index(b"\xff\xdb")
    np.testing.assert_array_equal(decode(content[:table] + b"junk" + content[table:]), decode(content))
    np.testing.assert_array_equal(decode(content[:-2] + b"\1\2\3" + content[-2:]), decode(content))


def test_a_jpeg_that_asks_for_less_than_there_is_and_one_with_something_left() -> None:
    content = saved(PHOTO, "JPEG")
    lower = bytearray(content)
    height = content.index(b"\xff\xc0") + 5
    lower[height : height + 2] = (PHOTO.shape[0] // 2).to_bytes(2, "big")
    np.testing.assert_array_equal(decode(bytes(lower))[:8], decode(content)[:8])
    with pytest.raises(ImageCorrupt):
        decode(content[:-2] + bytes(len(content) // 20) + content[-2:])


def test_the_version_names_every_library() -> None:
    assert all(name in CODEC_VERSION for name in ("simplejpeg-", "opencv-", "pillow-", "webp-", "avif-"))
