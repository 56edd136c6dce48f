"""Bombs: files that ask for more than any honest picture are refused from their headers, quickly and in little memory."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from kernels.codec import Limits, decode, probe
from kernels.errors import (
    ImageCorrupt,
    ImageDimensions,
    ImageMetadata,
    ImageTooManyPixels,
    ImageTruncated,
    ImageUnreadable,
    PayloadTooLarge,
    TooManyFrames,
)
from tests.helpers.picture_files import PNG_SIGNATURE, chunk, png_file, saved, srgb_profile
from tests.helpers.pictures import make_image, make_photo

PHOTO = make_photo("astronaut", 60, 80)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_limits_are_checked_before_anything_is_decoded(form: str) -> None:
    content = saved(PHOTO, form)
    probe(content, Limits(max_pixels=4800, max_side=80, max_bytes=len(content), max_frames=1))
    for check in (probe, lambda content, limits: decode(content, limits=limits)):
        with pytest.raises(ImageTooManyPixels):
            check(content, Limits(max_pixels=4799))
        with pytest.raises(ImageDimensions):
            check(content, Limits(max_side=79))
        with pytest.raises(PayloadTooLarge):
            check(content, Limits(max_bytes=len(content) - 1))


def resized(content: bytes, width: int, height: int) -> bytes:
    """The file with other sides in its header."""
    changed = bytearray(content)
    if content.startswith(PNG_SIGNATURE):
        head = struct.pack(">II", width, height) + content[24:29]
        return content[:8] + chunk(b"IHDR", head) + content[33:]
    if content.startswith(b"GIF"):
        changed[6:10] = struct.pack("<HH", width, height)
    elif content.startswith(b"BM"):
        changed[18:26] = struct.pack("<ii", width, height)
    else:
        frame = content.index(b"\xff\xc0")
        changed[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(changed)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_sides_that_lie(form: str) -> None:
    content = saved(PHOTO, form)
    for width, height in ((0, 60), (80, 0)):
        with pytest.raises((ImageDimensions, ImageUnreadable)):
            probe(resized(content, width, height))
    with pytest.raises(ImageTooManyPixels):
        probe(resized(content, 60_000, 60_000))
    with pytest.raises((ImageTruncated, ImageCorrupt)):
        decode(resized(content, 80, 7000) if form != "GIF" else content[:-300])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_a_bomb_costs_no_memory(form: str) -> None:
    content = resized(saved(PHOTO, form), 65_000, 65_000)
    tracemalloc.start()
    try:
        with pytest.raises((ImageTooManyPixels, ImageDimensions)):
            decode(content)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_png_text_that_unpacks_to_much() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50 * 2**20), 9))
    with pytest.raises(ImageMetadata):
        probe(png_file(make_image(2, 2), before=[bomb]))
    international = chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(50 * 2**20), 9))
    with pytest.raises(ImageMetadata):
        probe(png_file(make_image(2, 2), before=[international]))
    modest = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 100_000))
    np.testing.assert_array_equal(decode(png_file(make_image(2, 2), before=[modest])), make_image(2, 2))


def test_png_profile_that_unpacks_to_much() -> None:
    bomb = chunk(b"iCCP", b"icc\0\0" + zlib.compress(srgb_profile() + bytes(60 * 2**20), 9))
    with pytest.raises(ImageMetadata):
        probe(png_file(make_image(2, 2), before=[bomb]))


def test_png_made_of_nothing_but_chunks() -> None:
    with pytest.raises(ImageMetadata):
        probe(png_file(make_image(2, 2), before=[chunk(b"teSt", b"")] * 100_001))


def test_jpeg_made_of_nothing_but_segments() -> None:
    plain = saved(PHOTO, "JPEG")
    with pytest.raises(ImageMetadata):
        probe(plain[:2] + b"\xff\xfe\0\2" * 100_001 + plain[2:])


def test_gif_made_of_nothing_but_comments() -> None:
    plain = saved(Image.fromarray(PHOTO).quantize(4), "GIF")
    after = 13 + (3 << (plain[10] & 7) + 1)
    comment = b"\x21\xfe" + (b"\xff" + bytes(255)) * 5000 + b"\0"
    with pytest.raises(ImageMetadata):
        probe(plain[:after] + comment + plain[after:])
    with pytest.raises(ImageMetadata):
        probe(plain[:after] + b"\x21\xfe" + b"\1a" * 200_000 + b"\0" + plain[after:])


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_too_many_frames(form: str) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), 40 * level, np.uint8)) for level in range(5)]
    content = saved(frames[0], form, save_all=True, append_images=frames[1:])
    assert probe(content, Limits(max_frames=5)).frames == 5
    for check in (probe, lambda content, limits: decode(content, limits=limits)):
        with pytest.raises(TooManyFrames):
            check(content, Limits(max_frames=4))


def test_a_progressive_jpeg_with_many_scans() -> None:
    content = saved(PHOTO, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    with pytest.raises(TooManyFrames, match="scans"):
        probe(content[:-2] + content[last:-2] * 200 + content[-2:])


def test_tiff_directories_in_a_circle() -> None:
    content = bytearray(saved(PHOTO, "TIFF"))
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    struct.pack_into("<I", content, first + 2 + 12 * entries, first)
    assert probe(bytes(content)).frames == 1
    np.testing.assert_array_equal(decode(bytes(content)), PHOTO)


def test_tiff_tiles_larger_than_any_picture() -> None:
    content = bytearray(saved(PHOTO, "TIFF"))
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    for entry in range(entries):
        place = first + 2 + 12 * entry
        (tag,) = struct.unpack_from("<H", content, place)
        if tag == 278:  # rows per strip: make it the width of a tile
            struct.pack_into("<HHII", content, place, 322, 4, 1, 2**31)
    with pytest.raises(ImageDimensions):
        probe(bytes(content))
