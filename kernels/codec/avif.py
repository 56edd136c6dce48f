"""AVIF: its boxes, walked to know a file that was cut short from one that is damaged."""

from __future__ import annotations

from kernels.codec.limits import check_pieces
from kernels.errors import ImageTruncated, ImageUnreadable


def check_whole(content: bytes) -> None:
    """Nothing, if every outer box ends within the file; ImageTruncated otherwise."""
    place, pieces = 0, 0
    while place < len(content):
        pieces += 1
        check_pieces(pieces)
        length = int.from_bytes(content[place : place + 4], "big")
        if length == 0:
            return  # the last box reaches to the end, wherever that is
        if length == 1:
            length = int.from_bytes(content[place + 8 : place + 16], "big")
        if length < 8:
            raise ImageUnreadable("a box has no length")
        place += length
    if place > len(content):
        raise ImageTruncated(f"its boxes reach to {place} bytes, {len(content)} are there")
