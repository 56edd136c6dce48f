"""TIFF: its directories by a parser of our own, which trusts no count and no offset of the file."""

from __future__ import annotations

import struct

from kernels.codec.limits import MAX_PROFILE_BYTES, Container, Limits, check_frames, check_size
from kernels.errors import ImageDimensions, ImageMetadata, ImageTruncated, ImageUnreadable, UnsupportedFormat

_WIDTH, _HEIGHT, _ORIENTATION, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT, _PROFILE = 256, 257, 274, 277, 322, 323, 34675
_KINDS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value of each kind."""
_READERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MAX_ENTRIES = 4096
_MAX_SAMPLES = 6


def container(content: bytes, limits: Limits) -> Container:
    """The header of a file that starts like a TIFF: sides and orientation of the first page, number of pages."""
    order = "<" if content[:2] == b"II" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    try:
        (first,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
        values, following = _directory(content, first, order, big)
        if _WIDTH not in values or _HEIGHT not in values:
            raise ImageUnreadable("the first page has no sides")
        width, height = values[_WIDTH], values[_HEIGHT]
        check_size(width, height, limits)
        if values.get(_SAMPLES, 1) > _MAX_SAMPLES:
            raise UnsupportedFormat(f"a TIFF with {values[_SAMPLES]} values a pixel")
        _check_tiles(values, limits)
        pages, seen = 1, {first}
        while following and following not in seen:
            seen.add(following)
            pages += 1
            check_frames(pages, limits)
            following = _next(content, following, order, big)
    except (struct.error, OverflowError):
        raise ImageTruncated("the file ends inside a directory") from None
    turn = values.get(_ORIENTATION, 1)
    return Container(width, height, pages, turn if 1 <= turn <= 8 else 1)


def _entries(content: bytes, place: int, order: str, big: bool) -> tuple[int, int, int]:
    """Number of entries, place of the first and bytes of each."""
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), content, place)
    if not 0 < count <= _MAX_ENTRIES:
        raise ImageUnreadable(f"a directory has {count} entries")
    return count, place + (8 if big else 2), 20 if big else 12


def _next(content: bytes, place: int, order: str, big: bool) -> int:
    """The place of the directory after this one, 0 if it is the last."""
    count, start, stride = _entries(content, place, order, big)
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), content, start + count * stride)
    return int(following)


def _directory(content: bytes, place: int, order: str, big: bool) -> tuple[dict[int, int], int]:
    """The single whole numbers in a directory by tag, and the place of the next directory."""
    count, start, stride = _entries(content, place, order, big)
    inline = 8 if big else 4
    values: dict[int, int] = {}
    for entry in range(start, start + count * stride, stride):
        tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), content, entry)
        field = entry + stride - inline
        length = number * _KINDS.get(kind, 0)
        if tag == _PROFILE and length > MAX_PROFILE_BYTES:
            raise ImageMetadata(f"the colour profile has {length} bytes")
        if length > inline:
            (offset,) = struct.unpack_from(order + ("Q" if big else "I"), content, field)
            if offset + length > len(content):
                raise ImageTruncated(f"the values of tag {tag} lie beyond the end")
        elif number == 1 and kind in _READERS:
            (values[tag],) = struct.unpack_from(order + _READERS[kind], content, field)
    return values, _next(content, place, order, big)


def _check_tiles(values: dict[int, int], limits: Limits) -> None:
    """A tile larger than any picture may be is memory asked for nothing."""
    wide, high = values.get(_TILE_WIDTH, 1), values.get(_TILE_HEIGHT, 1)
    if not (0 < wide <= limits.max_side and 0 < high <= limits.max_side):
        raise ImageDimensions(wide, high, limits.max_side)
    if wide * high > max(limits.max_pixels, 2**20):
        raise ImageDimensions(wide, high, limits.max_side)
