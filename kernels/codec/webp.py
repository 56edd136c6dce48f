"""WebP: its chunks by a parser of our own; libwebp sets up whole canvases before it says how large they are."""

from __future__ import annotations

import struct

from kernels.codec.exif import orientation
from kernels.codec.limits import MAX_PROFILE_BYTES, Container, Limits, check_frames, check_pieces, check_size
from kernels.errors import ImageMetadata, ImageTruncated, ImageUnreadable


def container(content: bytes, limits: Limits) -> Container:
    """The header of a file that starts like a WebP, every chunk of which is within the file."""
    (length,) = struct.unpack_from("<I", content, 4)
    end = 8 + length
    if end > len(content):
        raise ImageTruncated(f"{end} bytes are announced, {len(content)} are there")
    place, pieces, frames, turn = 12, 0, 0, 1
    size: tuple[int, int] | None = None
    while place + 8 <= end:
        name = content[place : place + 4]
        (length,) = struct.unpack_from("<I", content, place + 4)
        start, pieces = place + 8, pieces + 1
        check_pieces(pieces)
        if start + length > end:
            raise ImageTruncated(f"the file ends inside the chunk {name.decode('ascii', 'replace')}")
        if name in (b"VP8 ", b"VP8L", b"VP8X") and size is None:
            size = _size(name, content[start : start + min(length, 10)])
            check_size(*size, limits)
        elif name == b"ANMF":
            frames += 1
            check_frames(frames, limits)
        elif name == b"EXIF":
            turn = orientation(content[start : start + length])
        elif name == b"ICCP" and length > MAX_PROFILE_BYTES:
            raise ImageMetadata(f"the colour profile has {length} bytes")
        place = start + length + length % 2
    if size is None:
        raise ImageUnreadable("there is no picture in the file")
    return Container(*size, max(frames, 1), turn)


def _size(name: bytes, chunk: bytes) -> tuple[int, int]:
    if len(chunk) < (5 if name == b"VP8L" else 10):
        raise ImageUnreadable("the picture's chunk is too short")
    if name == b"VP8X":
        return 1 + int.from_bytes(chunk[4:7], "little"), 1 + int.from_bytes(chunk[7:10], "little")
    if name == b"VP8L":
        if chunk[0] != 0x2F:
            raise ImageUnreadable("the lossless picture does not start like one")
        bits = int.from_bytes(chunk[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk[3:6] != b"\x9d\x01\x2a":
        raise ImageUnreadable("the picture does not start with a key frame")
    width, height = struct.unpack_from("<HH", chunk, 6)
    return width & 0x3FFF, height & 0x3FFF
