"""decode and probe on damaged, hostile and foreign files: the right refusal, quickly, and never a guess."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from kernels.codec import decode, probe
from kernels.errors import (
    ImageCorrupt,
    ImageDimensions,
    ImageTooManyPixels,
    ImageTruncated,
    ImageUnreadable,
    InputError,
    UnsupportedFormat,
)
from tests.helpers.picture_files import FORMATS, PNG_SIGNATURE, chunk, packed_rows, png_file, saved
from tests.helpers.pictures import make_image, make_photo

PHOTO = make_photo("astronaut", 60, 80)
FILES = {name: saved(PHOTO, form, **options) for name, (form, options) in FORMATS.items()}
FILES["jpeg grey"] = saved(Image.fromarray(PHOTO).convert("L"), "JPEG")
FILES["jpeg inks"] = saved(Image.fromarray(PHOTO).convert("CMYK"), "JPEG")
FILES["png palette"] = saved(Image.fromarray(PHOTO).quantize(32), "PNG")
FILES["bmp palette"] = saved(Image.fromarray(PHOTO).quantize(32), "BMP")
FILES["gif frames"] = saved(PHOTO, "GIF", save_all=True, append_images=[Image.fromarray(PHOTO).rotate(9)])
FILES["webp frames"] = saved(PHOTO, "WEBP", save_all=True, append_images=[Image.fromarray(PHOTO).rotate(9)])
FILES["tiff fax"] = saved(Image.fromarray(PHOTO).convert("1"), "TIFF", compression="group4")
DAMAGED = (ImageTruncated, ImageCorrupt, ImageUnreadable)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_refused_wherever_it_is_cut(name: str) -> None:
    content = FILES[name]
    cuts = {*range(32, len(content), max(1, len(content) // 150)), *range(len(content) - 24, len(content))}
    for cut in sorted(cuts):
        with pytest.raises((ImageTruncated, ImageUnreadable)):
            decode(content[:cut])


@pytest.mark.parametrize("name", FILES)
def test_bits_that_flip_never_do_worse_than_an_error_with_a_code(name: str) -> None:
    content = FILES[name]
    for seed in range(120):
        rng = np.random.default_rng(seed)
        damaged = bytearray(content)
        for _ in range(int(rng.integers(1, 5))):
            damaged[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        try:
            header = probe(bytes(damaged))
            pixels = decode(bytes(damaged))
        except InputError:
            continue
        assert pixels.shape == (header.height, header.width, 3), f"seed {seed}"


@pytest.mark.parametrize("name", FILES)
def test_no_library_speaks_to_callers(name: str) -> None:
    content = FILES[name]
    refusals = []
    for place in range(20, len(content), max(1, len(content) // 60)):
        try:
            decode(content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])
        except InputError as error:
            refusals.append(error)
    for refusal in refusals:
        if cause := refusal.__context__:
            assert (str(cause) or type(cause).__name__) not in refusal.message


@pytest.mark.parametrize("name", FILES)
def test_noise_behind_a_good_beginning(name: str) -> None:
    for kept in (12, 20, 40, 100):
        for seed in range(20):
            content = FILES[name][:kept] + np.random.default_rng(seed).bytes(3000)
            try:
                decode(content)
            except InputError:
                continue


def test_a_flipped_bit_in_png_data_is_always_found() -> None:
    content = FILES["png"]
    start = content.index(b"IDAT")
    for place in range(start, len(content) - 12, 97):
        damaged = bytearray(content)
        damaged[place] ^= 4
        with pytest.raises(DAMAGED):
            decode(bytes(damaged))


def test_most_damage_in_a_jpeg_is_found() -> None:
    content = saved(make_photo("astronaut"), "JPEG", quality=90)
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(40):
        place = int(rng.integers(2000, len(content) - 2000))
        damaged = content[:place] + rng.bytes(100) + content[place + 100 :]
        try:
            decode(damaged)
        except DAMAGED:
            found += 1
    assert found >= 28, "of 40 files with 100 bytes of noise in their middle"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/'/></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"%PDF-1.7",
        b"8BPS\0\1",
        b"\x7fELF\2\1\1",
        b"\0\0\1\0\1\0",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        b"P6 1 1 255\n\0\0\0",
        b"PK\3\4",
        b"RIFF\0\0\0\0WAVE",
    ],
)
def test_what_is_not_a_supported_picture(content: bytes) -> None:
    for padded in (content, content + bytes(100)):
        with pytest.raises(UnsupportedFormat):
            probe(padded)
        with pytest.raises(UnsupportedFormat):
            decode(padded)


@pytest.mark.parametrize(
    "start",
    [
        b"\xff\xd8\xff\xe0",
        PNG_SIGNATURE,
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"RIFF\x10\0\0\0WEBP",
        b"\0\0\0\x10ftypavif\0\0\0\0",
    ],
)
def test_a_beginning_alone(start: bytes) -> None:
    for content in (start, start + bytes(4), start + bytes(60), start + b"\xff" * 60):
        with pytest.raises((*DAMAGED, ImageDimensions, ImageTooManyPixels)):
            decode(content)


def test_png_data_that_is_too_short_too_long_or_filtered_by_nobody() -> None:
    picture = make_image(6, 5)
    rows = packed_rows(picture, 8)
    with pytest.raises(ImageTruncated):
        decode(png_file(picture, body=zlib.compress(rows[:-16])))
    with pytest.raises(ImageTruncated):
        decode(png_file(picture, body=zlib.compress(rows)[:-3]))
    with pytest.raises(ImageCorrupt):
        decode(png_file(picture, body=zlib.compress(rows + bytes(16))))
    with pytest.raises(ImageCorrupt):
        decode(png_file(picture, body=zlib.compress(b"\7" + rows[1:])))
    with pytest.raises(ImageCorrupt):
        decode(png_file(picture, body=zlib.compress(rows)[:-1] + b"?"))
    with pytest.raises(ImageCorrupt):
        decode(png_file(picture, body=b"no zlib at all"))


def test_png_chunks_out_of_place() -> None:
    plain = png_file(make_image(6, 5))
    data = plain[33:-12]
    with pytest.raises(ImageCorrupt):
        decode(plain[:33] + plain[-12:])
    with pytest.raises(ImageCorrupt):
        decode(plain[:33] + data + chunk(b"teXt", b"") + data + plain[-12:])
    with pytest.raises(ImageCorrupt):
        decode(png_file(make_image(6, 5), before=[chunk(b"NEED", b"")]))
    with pytest.raises(ImageCorrupt):
        decode(png_file(np.zeros((2, 2, 1)), kind=3))
    with pytest.raises(ImageUnreadable):
        decode(png_file(make_image(6, 5), depth=3))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda file, frame: file.__setitem__(frame + 4, 12), UnsupportedFormat),
        (lambda file, frame: file.__setitem__(frame + 1, 0xC3), UnsupportedFormat),
        (lambda file, frame: file.__setitem__(frame + 9, 2), ImageUnreadable),
        (lambda file, frame: file.__delitem__(slice(frame, frame + 19)), ImageUnreadable),
    ],
)
def test_jpeg_frames_that_nobody_decodes(change: object, error: type[InputError]) -> None:
    content = bytearray(saved(PHOTO, "JPEG"))
    change(content, content.index(b"\xff\xc0"))  # type: ignore[operator]  # a lambda of the table
    with pytest.raises(error):
        decode(bytes(content))


def test_a_jpeg_without_its_tables() -> None:
    content = saved(PHOTO, "JPEG")
    table = content.index(b"\xff\xdb")
    length = content[table + 2] << 8 | content[table + 3]
    with pytest.raises(ImageCorrupt):
        decode(content[:table] + content[table + 2 + length :])


def test_kinds_of_tiff_without_a_range() -> None:
    for picture in (Image.new("F", (4, 4)), Image.new("I", (4, 4))):
        with pytest.raises(UnsupportedFormat):
            decode(saved(picture, "TIFF"))


def test_run_lengths_that_end_too_early() -> None:
    head = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, 4, 0, 0, 2, 0) + bytes(8)
    with pytest.raises(ImageCorrupt):
        decode(b"BM" + struct.pack("<IHHI", 66, 0, 0, 62) + head + bytes((200, 1)))


def test_threads_decode_the_same_pixels() -> None:
    alone = {name: decode(content) for name, content in FILES.items()}
    with ThreadPoolExecutor(4) as threads:
        for name, pixels in zip(list(FILES) * 6, threads.map(decode, list(FILES.values()) * 6), strict=True):
            np.testing.assert_array_equal(pixels, alone[name])


def test_nothing_is_printed() -> None:
    program = """
import sys
from kernels.codec import decode
from kernels.errors import InputError
from tests.unit.kernels.test_codec_damage import FILES
for content in FILES.values():
    for place in range(20, len(content), max(1, len(content) // 25)):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]):
            try:
                decode(damaged)
            except InputError:
                pass
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
