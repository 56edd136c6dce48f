"""PNG: its chunks and their checksums by a parser of our own. Its pixels are in `png_pixels.py`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from kernels.codec.exif import orientation
from kernels.codec.limits import MAX_PROFILE_BYTES, MAX_TEXT_BYTES, Limits, check_frames, check_pieces, check_size
from kernels.errors import ImageCorrupt, ImageMetadata, ImageTruncated, ImageUnreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
_DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
_IMAGEMAGICK = b"Raw profile type exif\0"
"""Key of the text that held EXIF before PNG had a chunk for it."""


@dataclass(frozen=True)
class Header:
    """What comes before the picture data."""

    width: int
    height: int
    depth: int
    kind: int
    interlaced: bool
    frames: int
    orientation: int


def chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and length of each chunk, none of which reaches past the end. Stops after IEND."""
    place, end = len(SIGNATURE), len(content)
    name, pieces = b"", 0
    while name != b"IEND":
        pieces += 1
        check_pieces(pieces)
        if place + 12 > end:
            raise ImageTruncated("the file ends before its last chunk")
        (length,) = struct.unpack_from(">I", content, place)
        name = content[place + 4 : place + 8]
        if not name.isalpha() or length > 2**31 - 1:
            raise ImageCorrupt("there is no chunk where one should begin")
        if place + 12 + length > end:
            raise ImageTruncated(f"the file ends inside the chunk {name.decode()}")
        yield name, place + 8, length
        place += 12 + length


def header(content: bytes, limits: Limits) -> Header:
    """The header of a file that starts like a PNG, every chunk of which is within the file."""
    head: tuple[int, ...] | None = None
    frames, turn = 0, 1
    for name, start, length in chunks(content):
        if head is None:
            if name != b"IHDR" or length != 13:
                raise ImageUnreadable("the first chunk is not the header")
            head = struct.unpack_from(">IIBBBBB", content, start)
            check_size(head[0], head[1], limits)
            check_sum(content, name, start, length, ImageUnreadable("the header's checksum is wrong"))
        elif name == b"fcTL":
            frames += 1
            check_frames(frames, limits)
        elif name == b"eXIf" and length <= MAX_TEXT_BYTES:
            turn = orientation(content[start : start + length])
        elif name in (b"zTXt", b"iTXt", b"iCCP"):
            unpacked = _unpacked(content, name, start, length)
            if name == b"zTXt" and content.startswith(_IMAGEMAGICK, start):
                turn = orientation(_from_hex(unpacked))
    assert head is not None
    width, height, depth, kind, compression, filtering, interlace = head
    if depth not in _DEPTHS.get(kind, ()) or compression or filtering or interlace > 1:
        raise ImageUnreadable("the header asks for something that PNG does not have")
    return Header(width, height, depth, kind, bool(interlace), max(frames, 1), turn)


def check_sum(content: bytes, name: bytes, start: int, length: int, error: Exception) -> None:
    (stored,) = struct.unpack_from(">I", content, start + length)
    if zlib.crc32(memoryview(content)[start : start + length], zlib.crc32(name)) != stored:
        raise error


def packed_part(content: bytes, name: bytes, start: int, length: int) -> bytes:
    """The compressed part of a text or profile chunk; empty if it is not compressed."""
    part = content[start : start + length]
    _, _, rest = part.partition(b"\0")
    if name != b"iTXt":
        return rest[1:]
    if rest[:1] != b"\x01":
        return b""
    return rest[2:].partition(b"\0")[2].partition(b"\0")[2]


def _unpacked(content: bytes, name: bytes, start: int, length: int) -> bytes:
    most = MAX_PROFILE_BYTES if name == b"iCCP" else MAX_TEXT_BYTES
    unpacked = inflated(packed_part(content, name, start, length), most + 1)
    if len(unpacked) > most:
        raise ImageMetadata(f"the chunk {name.decode()} unpacks to more than {most} bytes")
    return unpacked


def _from_hex(text: bytes) -> bytes:
    """The EXIF block that ImageMagick wrote as a name, a length and lines of hex digits."""
    try:
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return b""


def inflated(packed: bytes, most: int) -> bytes:
    """As much as there is, `most` bytes at most; damage ends it."""
    try:
        return zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return b""
