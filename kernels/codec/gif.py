"""GIF: its blocks by a parser of our own, so that no list of blocks, however long, is walked more than once."""

from __future__ import annotations

import struct

from kernels.codec.limits import MAX_TEXT_BYTES, Container, Limits, check_frames, check_pieces, check_size
from kernels.errors import ImageMetadata, ImageTruncated, ImageUnreadable


def container(content: bytes, limits: Limits) -> Container:
    """The header of a file that starts like a GIF, with every block up to the trailer within the file."""
    if len(content) < 13:
        raise ImageTruncated("the file ends inside the header")
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    check_size(width, height, limits)
    place, pieces, frames = _after_table(13, flags), 0, 0
    first = place
    while True:
        if place >= len(content):
            raise ImageTruncated("the file ends before its trailer")
        block = content[place]
        if block == 0x3B:
            break
        if block == 0x21:
            place, pieces = _after_pieces(content, place + 2, pieces)
        elif block == 0x2C:
            if place + 10 > len(content):
                raise ImageTruncated("the file ends inside a frame's header")
            if not frames:
                width, height = _canvas(content, place, width, height)
                check_size(width, height, limits)
                # Pillow joins comments piece by piece, in time that grows with the square of their length
                if place - first > MAX_TEXT_BYTES:
                    raise ImageMetadata(f"there are {place - first} bytes before the first frame")
            place, pieces = _after_pieces(content, _after_table(place + 10, content[place + 9]) + 1, pieces)
            frames += 1
            check_frames(frames, limits)
        elif frames:
            break  # junk after the last frame is not ours to judge
        else:
            raise ImageUnreadable("there is no block where one should begin")
    if not frames:
        raise ImageUnreadable("there is no frame in the file")
    return Container(width, height, frames, 1)


def _after_table(place: int, flags: int) -> int:
    return place + (3 << (flags & 7) + 1 if flags & 0x80 else 0)


def _after_pieces(content: bytes, place: int, pieces: int) -> tuple[int, int]:
    """The first byte after a chain of pieces, each with its length before it, that a length of zero ends; the count."""
    try:
        while length := content[place]:
            place += 1 + length
            pieces += 1
    except IndexError:
        raise ImageTruncated("the file ends inside a block") from None
    check_pieces(pieces + 1)
    return place + 1, pieces + 1


def _canvas(content: bytes, place: int, width: int, height: int) -> tuple[int, int]:
    """The sides of the screen, grown to hold the first frame."""
    left, top, wide, high = struct.unpack_from("<HHHH", content, place + 1)
    return max(width, left + wide), max(height, top + high)
