"""JPEG: its header by a parser of our own, its pixels by simplejpeg (libjpeg-turbo), strictly."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import simplejpeg
from PIL import JpegImagePlugin

from kernels.codec.exif import orientation
from kernels.codec.limits import MAX_SCANS, Limits, check_pieces, check_size
from kernels.codec.raw import Bytes, Raw
from kernels.errors import UNINTELLIGIBLE, ImageCorrupt, ImageTruncated, ImageUnreadable, TooManyFrames, UnsupportedFormat

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DECODABLE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
"""Baseline, extended, progressive, and the arithmetic forms of the last two: all 8 bits a sample."""
_PROGRESSIVE = {0xC2, 0xCA}
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""What begins a segment: not padding, a restart marker or another marker without content."""
_SCAN = 0xDA
_JUNK_AT_THE_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_JUNK_BYTES = 16
"""Some writers leave a few bytes between the last row and the end marker. Damage leaves more: a block or a row of them."""
_LARGE_PART = 16
"""Where more than this part of a file is left, its header asks for less than there is: what it asks for is taken. Damage
leaves so much in one of a hundred cases (`docs/explanation/bad-input.md`)."""


@dataclass(frozen=True)
class Header:
    """What comes before the first scan."""

    width: int
    height: int
    components: int
    orientation: int
    profile: bytes | None
    adobe: bool
    """Whether Adobe's marker is there: its CMYK files store how much ink is missing."""
    dropped: tuple[tuple[int, int], ...]
    """First byte and end of each segment that the picture does not need."""
    process: int
    """Marker of the frame: 0xC0 is baseline."""
    sampling: tuple[int, ...]
    """Each component's blocks in a unit, across times 16 plus down: 0x22, 0x11, 0x11 is 4:2:0."""
    frames: int = 1


def header(content: bytes, limits: Limits) -> Header:
    """The header of a file that starts like a JPEG. ImageUnreadable, ImageTruncated, UnsupportedFormat, ..."""
    frame: tuple[int, int, int] | None = None
    turn, adobe, process, sampling = 1, False, 0, b""
    profile: dict[int, bytes] = {}
    dropped: list[tuple[int, int]] = []
    needed = 2
    for marker, place, start, end in _segments(content):
        kept = marker < 0xE0 or marker == 0xEE or content.startswith(b"JFIF\0\1", start)
        if place > needed or not kept:
            dropped.append((needed, place if kept else end))
        needed = end
        if marker in _FRAMES:
            if frame is not None:
                raise ImageUnreadable("there are two frame headers")
            frame = _frame(marker, content[start:end], limits)
            process, sampling = marker, content[start + 7 : end : 3]
        elif marker == _SCAN:
            if frame is not None and (process in _PROGRESSIVE or content[start] < frame[2]):
                _check_scans(content, end)
        elif marker == 0xEE and content.startswith(b"Adobe", start):
            adobe = True
        elif marker == 0xE1 and turn == 1 and content.startswith(b"Exif\0\0", start):
            turn = orientation(content[start:end])
        elif marker == 0xE2 and content.startswith(b"ICC_PROFILE\0", start) and end > start + 14:
            profile[content[start + 12]] = content[start + 14 : end]
    if frame is None:
        raise ImageUnreadable("the picture data comes before the frame header")
    whole = b"".join(profile[number] for number in sorted(profile))
    return Header(*frame, turn, whole or None, adobe, tuple(dropped), process, tuple(sampling))


def _segments(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Marker, its own place, first byte and end of its content, of each segment up to the first scan.

    Bytes between two segments are passed over, as every decoder does: libjpeg misses what it needs of them later.
    """
    after, size, pieces = 2, len(content), 0
    while True:
        found = _MARKER.search(content, after)
        if found is None or found.end() + 2 > size:
            raise ImageTruncated("the file ends inside the header")
        place = found.end()
        marker = content[place - 1]
        if marker in (0xD8, 0xD9):
            raise ImageUnreadable("there is no picture between the JPEG markers")
        end = place + (content[place] << 8 | content[place + 1])
        if end < place + 2:
            raise ImageUnreadable("a JPEG segment has no length")
        if end > size:
            raise ImageTruncated("the file ends inside the header")
        yield marker, place - 2, place + 2, end
        if marker == _SCAN:
            return
        after, pieces = end, pieces + 1
        check_pieces(pieces)


def _frame(marker: int, segment: bytes, limits: Limits) -> tuple[int, int, int]:
    """Width, height and components."""
    if len(segment) < 6:
        raise ImageUnreadable("the frame header is too short")
    bits, height, width, components = (
        segment[0],
        segment[1] << 8 | segment[2],
        segment[3] << 8 | segment[4],
        segment[5],
    )
    check_size(width, height, limits)
    if bits not in (8, 12, 16) or len(segment) != 6 + 3 * components:
        raise ImageUnreadable("the frame header contradicts itself")
    if marker not in _DECODABLE:
        raise UnsupportedFormat("a lossless, hierarchical or differential JPEG")
    if bits != 8:
        raise UnsupportedFormat(f"a JPEG with {bits} bits a sample")
    if components not in (1, 3, 4):
        raise UnsupportedFormat(f"a JPEG with {components} components")
    return width, height, components


def _check_scans(content: bytes, first: int) -> None:
    # inside entropy-coded data 0xFF is always followed by 0 or a restart marker, so these bytes are real markers
    end = content.find(b"\xff\xd9", first)
    scans = 1 + content.count(b"\xff\xda", first, end if end >= 0 else len(content))
    if scans > MAX_SCANS:
        raise TooManyFrames(scans, MAX_SCANS, "scans")


def without_metadata(content: bytes, header: Header) -> bytes:
    """The file with nothing but what its picture needs."""
    return _without(content, header.dropped)


def raw(content: bytes, header: Header) -> Raw:
    """The decoded picture. ImageTruncated or ImageCorrupt for anything that libjpeg so much as warns about."""
    if header.components == 4:
        inks = _decoded(content, header, "CMYK")
        return Raw(np.invert(inks) if header.adobe else inks, "CMYK", profile=header.profile)
    if header.components == 1 and header.profile is not None:
        return Raw(_decoded(content, header, "GRAY")[:, :, 0], "L", profile=header.profile)
    return Raw(_decoded(content, header, "RGB"), "RGB", profile=header.profile)


def _decoded(content: bytes, header: Header, colours: str) -> Bytes:
    clean = _without(content, header.dropped)
    try:
        return _strictly(clean, colours)
    except ValueError as error:
        reason = str(error)
        junk = _JUNK_AT_THE_END.search(reason)
        if junk and (int(junk[1]) <= _JUNK_BYTES or int(junk[1]) * _LARGE_PART > len(clean)):
            return _strictly(clean, colours, strict=False)
        if "could not determine subsampling" in reason.lower():
            return _by_pillow(clean, colours)
        if "premature end of jpeg" in reason.lower() or b"\xff\xd9" not in clean:
            raise ImageTruncated from None
        raise ImageCorrupt(UNINTELLIGIBLE) from error


def _without(content: bytes, dropped: tuple[tuple[int, int], ...]) -> bytes:
    """The file without these pieces: no metadata reaches the library, so none can make it complain."""
    if not dropped:
        return content
    view, place, kept = memoryview(content), 0, []
    for start, end in dropped:
        kept.append(view[place:start])
        place = end
    return b"".join((*kept, view[place:]))


def _strictly(content: bytes, colours: str, strict: bool = True) -> Bytes:
    pixels: Bytes = simplejpeg.decode_jpeg(content, colours, strict=strict)
    return pixels


def _by_pillow(content: bytes, colours: str) -> Bytes:
    """A picture whose channels are sampled in a way that TurboJPEG's interface has no name for."""
    try:
        with JpegImagePlugin.JpegImageFile(BytesIO(content)) as image:
            if colours == "CMYK":
                return np.invert(np.array(image, np.uint8)) if image.mode == "CMYK" else np.array(image.convert("CMYK"))
            pixels = np.array(image.convert("L" if colours == "GRAY" else "RGB"), np.uint8)
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, struct.error) as error:
        raise (ImageTruncated() if "truncated" in str(error) else ImageCorrupt(UNINTELLIGIBLE)) from error
    return pixels[:, :, None] if colours == "GRAY" else pixels
