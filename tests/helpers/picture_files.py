"""Picture files for tests: written by Pillow, or byte by byte where Pillow cannot write what a test is about."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Pixels = NDArray[np.uint8]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row, first column, row step and column step of each pass of an interlaced PNG."""


def saved(picture: Image.Image | Pixels, form: str, **options: Any) -> bytes:
    """The picture as Pillow writes it."""
    file = BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, form, **options)
    return file.getvalue()


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block with nothing but an orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def packed_rows(values: NDArray[Any], depth: int) -> bytes:
    """(H, W, channels) values as unfiltered PNG rows of `depth` bits a value."""
    rows = []
    for row in values:
        if depth == 16:
            content = row.astype(">u2").tobytes()
        elif depth == 8:
            content = row.astype(np.uint8).tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - depth :]
            content = np.packbits(bits.reshape(-1)).tobytes()
        rows.append(b"\0" + content)
    return b"".join(rows)


def png_file(
    values: NDArray[Any],
    kind: int = 2,
    depth: int = 8,
    interlaced: bool = False,
    before: Sequence[bytes] = (),
    header: Mapping[str, int] | None = None,
    body: bytes | None = None,
) -> bytes:
    """A PNG of (H, W, channels) values; `before` goes between header and data, `body` replaces the compressed data."""
    height, width = values.shape[:2]
    sides = {"width": width, "height": height} | dict(header or {})
    head = struct.pack(">IIBBBBB", sides["width"], sides["height"], depth, kind, 0, 0, interlaced)
    if interlaced:
        parts = [values[row::rows, column::columns] for row, column, rows, columns in _PASSES]
        raw = b"".join(packed_rows(part, depth) for part in parts if part.size)
    else:
        raw = packed_rows(values, depth)
    content = zlib.compress(raw) if body is None else body
    return b"".join((PNG_SIGNATURE, chunk(b"IHDR", head), *before, chunk(b"IDAT", content), chunk(b"IEND", b"")))


def srgb_profile() -> bytes:
    """The profile that most cameras and editors embed."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """A profile whose red is sRGB's green and the other way round."""
    profile = srgb_profile().replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


FORMATS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "jpeg progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "jpeg 4:4:4": ("JPEG", {"quality": 90, "subsampling": 0}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_deflate"}),
    "tiff jpeg": ("TIFF", {"compression": "jpeg"}),
    "avif": ("AVIF", {"quality": 90}),
}
"""What Pillow writes of each format: its name there and its options."""
