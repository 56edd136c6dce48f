"""PNG pixels by OpenCV (libpng), strictly.

The picture data is inflated and checked here, then handed to libpng as a file of our own making with nothing but the
picture in it. So no metadata reaches a library, nothing damaged is repaired, and libpng has nothing to complain about.
"""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.codec.limits import MAX_PROFILE_BYTES
from kernels.codec.png import (
    CHANNELS,
    GREY,
    GREY_ALPHA,
    PALETTE,
    RGB,
    SIGNATURE,
    Header,
    check_sum,
    chunks,
    inflated,
    packed_part,
)
from kernels.codec.raw import Bytes, Raw, eight_bits
from kernels.errors import UNINTELLIGIBLE, ImageCorrupt, ImageTruncated

Samples = NDArray[np.uint8 | np.uint16]

_PASSES = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
"""Adam7: first column, column step, first row, row step of each pass."""
_STORED_BYTES = 64 * 2**20
"""Most raw bytes that are handed on uncompressed; larger pictures are inflated twice instead of held twice."""


def raw(content: bytes, header: Header) -> Raw:
    """The decoded picture. ImageTruncated, ImageCorrupt."""
    pieces: list[memoryview] = []
    palette = transparency = b""
    profile: bytes | None = None
    view = memoryview(content)
    before = b""
    for name, start, length in chunks(content):
        part = content[start : start + length] if name != b"IDAT" else b""
        if not name[0] & 0x20:
            check_sum(content, name, start, length, ImageCorrupt(f"the checksum of {name.decode()} is wrong"))
        if name == b"IDAT":
            if pieces and before != b"IDAT":
                raise ImageCorrupt("the picture data is interrupted by another chunk")
            pieces.append(view[start : start + length])
        elif name == b"PLTE":
            palette = part
        elif name == b"tRNS":
            transparency = part
        elif name == b"iCCP":
            profile = inflated(packed_part(content, name, start, length), MAX_PROFILE_BYTES) or None
        elif name not in (b"IHDR", b"IEND") and not name[0] & 0x20:
            raise ImageCorrupt(f"the chunk {name.decode()} is unknown and marked as needed")
        before = name
    if not pieces:
        raise ImageCorrupt("there is no picture data")
    samples = _samples(b"".join(pieces), header)
    return _coloured(samples, header, palette, transparency, profile)


def _rows(header: Header) -> list[tuple[int, int]]:
    """(rows, bytes a row with its filter byte) of each pass of the raw picture data."""
    bits = CHANNELS[header.kind] * header.depth
    if not header.interlaced:
        return [(header.height, 1 + (header.width * bits + 7) // 8)]
    passes = []
    for column, columns, row, rows in _PASSES:
        wide = (header.width - column + columns - 1) // columns
        high = (header.height - row + rows - 1) // rows
        if wide > 0 and high > 0:
            passes.append((high, 1 + (wide * bits + 7) // 8))
    return passes


def _samples(packed: bytes, header: Header) -> Samples:
    """(H, W) or (H, W, 3 or 4) samples in OpenCV's order of channels, grey below 8 bits scaled to 0..255."""
    rows = _rows(header)
    expected = sum(count * stride for count, stride in rows)
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(packed, expected)
        if len(unpacked) < expected:
            raise ImageTruncated("the picture data ends before its last row")
        # what follows the last row is the checksum of all of it; anything else is not ours to judge
        rest = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ImageCorrupt(UNINTELLIGIBLE) from error
    if rest:
        raise ImageCorrupt("the picture data goes on after the last row")
    if not stream.eof:
        raise ImageTruncated("the picture data ends before its checksum")
    filters = np.frombuffer(unpacked, np.uint8)
    place = 0
    for count, stride in rows:
        if filters[place : place + count * stride : stride].max() > 4:
            raise ImageCorrupt("a row asks for a filter that PNG does not have")
        place += count * stride
    # palette entries are read as grey of the same depth: the same bytes, and no library looks them up for us
    kind = GREY if header.kind == PALETTE else header.kind
    head = struct.pack(">IIBBBBB", header.width, header.height, header.depth, kind, 0, 0, header.interlaced)
    body = zlib.compress(unpacked, 0) if expected <= _STORED_BYTES else packed
    del unpacked, filters
    clean = b"".join((SIGNATURE, _chunk(b"IHDR", head), _chunk(b"IDAT", body), _chunk(b"IEND", b"")))
    samples = cv2.imdecode(np.frombuffer(clean, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise ImageCorrupt("libpng refuses it")
    assert samples.shape[:2] == (header.height, header.width), f"OpenCV decoded {samples.shape}"
    return np.asarray(samples, np.uint16 if header.depth == 16 else np.uint8)


def _chunk(name: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))))


def _coloured(
    samples: Samples,
    header: Header,
    palette: bytes,
    transparency: bytes,
    profile: bytes | None,
) -> Raw:
    if header.kind == PALETTE:
        return _looked_up(samples.astype(np.uint8, copy=False), header, palette, transparency, profile)
    alpha: Bytes | None = None
    if header.kind in (GREY, RGB) and transparency:
        alpha = _keyed(samples, header, transparency)
    scaled = eight_bits(samples) if header.depth == 16 else samples.astype(np.uint8, copy=False)
    if header.kind == GREY:
        return Raw(scaled, "L", alpha, profile)
    if header.kind == RGB:
        return Raw(np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB), np.uint8), "RGB", alpha, profile)
    alpha = np.ascontiguousarray(scaled[:, :, 3])
    if header.kind == GREY_ALPHA:
        return Raw(np.ascontiguousarray(scaled[:, :, 0]), "L", alpha, profile)
    return Raw(np.asarray(cv2.cvtColor(scaled, cv2.COLOR_BGRA2RGB), np.uint8), "RGB", alpha, profile)


def _keyed(samples: Samples, header: Header, transparency: bytes) -> Bytes:
    """Alpha of a picture in which one colour, compared at full depth, is transparent."""
    if len(transparency) < 2 * CHANNELS[header.kind]:
        raise ImageCorrupt("the transparent colour is cut short")
    key = np.frombuffer(transparency, ">u2", CHANNELS[header.kind]).astype(np.int64)
    if header.kind == GREY:
        scale = 255 // (2**header.depth - 1) if header.depth < 8 else 1
        equal = samples == key[0] * scale
    else:
        equal = (samples == key[::-1]).all(axis=2)
    return np.where(equal, np.uint8(0), np.uint8(255))


def _looked_up(indices: Bytes, header: Header, palette: bytes, transparency: bytes, profile: bytes | None) -> Raw:
    if not palette or len(palette) % 3 or len(palette) > 768:
        raise ImageCorrupt("the palette is missing or odd")
    if header.depth < 8:
        indices = indices // np.uint8(255 // (2**header.depth - 1))
    # an entry that the palette lacks is black and opaque, as libpng, Pillow and browsers have it
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(palette) // 3] = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    alpha: Bytes | None = None
    if transparency:
        table = np.full(256, 255, np.uint8)
        shown = np.frombuffer(transparency[:256], np.uint8)
        table[: len(shown)] = shown
        alpha = table[indices]
    return Raw(colours[indices], "RGB", alpha, profile)
