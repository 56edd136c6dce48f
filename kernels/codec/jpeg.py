"""JPEG: its header by a parser of our own, its pixels by simplejpeg (libjpeg-turbo), strictly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from kernels.codec.exif import orientation
from kernels.codec.limits import MAX_METADATA_BYTES, MAX_SCANS
from kernels.codec.raw import Raw
from kernels.errors import ImageCorrupt, ImageMetadata, ImageTruncated, ImageUnreadable, TooManyFrames, UnsupportedFormat

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DECODABLE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
"""Baseline, extended, progressive, and the arithmetic forms of the last two: all 8 bits a sample."""
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))


@dataclass(frozen=True)
class Header:
    """What comes before the first scan."""

    width: int
    height: int
    components: int
    orientation: int
    profile: bytes | None
    adobe: bool


def header(content: bytes) -> Header:
    """The header of a file that starts like a JPEG. ImageUnreadable, ImageTruncated, UnsupportedFormat, ..."""
    place, end = 2, len(content)
    frame: tuple[int, int, int] | None = None
    turn, adobe = 1, False
    pieces: dict[int, bytes] = {}
    while True:
        if place + 2 > end:
            raise ImageTruncated("the file ends inside the header")
        if content[place] != 0xFF:
            raise ImageUnreadable("a JPEG marker is missing")
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _ALONE:
            place += 2
            continue
        if marker in (0xD8, 0xD9):
            raise ImageUnreadable("there is no picture between the JPEG markers")
        if place + 4 > end:
            raise ImageTruncated("the file ends inside the header")
        length = content[place + 2] << 8 | content[place + 3]
        if length < 2:
            raise ImageUnreadable("a JPEG segment has no length")
        start, place = place + 4, place + 2 + length
        if place > end:
            raise ImageTruncated("the file ends inside the header")
        if marker in _FRAMES:
            if frame is not None:
                raise ImageUnreadable("there are two frame headers")
            frame = _frame(marker, content[start:place])
        elif marker == 0xDA:
            break
        elif marker == 0xE1 and turn == 1 and content.startswith(b"Exif\0\0", start):
            turn = orientation(content[start:place])
        elif marker == 0xE2 and content.startswith(b"ICC_PROFILE\0", start):
            pieces[content[start + 12] if place > start + 13 else 0] = content[start + 14 : place]
        elif marker == 0xEE and content.startswith(b"Adobe", start):
            adobe = True
    if frame is None:
        raise ImageUnreadable("the picture data comes before the frame header")
    _check_scans(content, place)
    profile = b"".join(pieces[number] for number in sorted(pieces)) or None
    if profile is not None and len(profile) > MAX_METADATA_BYTES:
        raise ImageMetadata(f"the colour profile has {len(profile)} bytes")
    return Header(*frame, turn, profile, adobe)


def _frame(marker: int, segment: bytes) -> tuple[int, int, int]:
    """Width, height and components."""
    if len(segment) < 6:
        raise ImageUnreadable("the frame header is too short")
    bits, height, width, components = (
        segment[0],
        segment[1] << 8 | segment[2],
        segment[3] << 8 | segment[4],
        segment[5],
    )
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


def raw(content: bytes, header: Header) -> Raw:
    """The decoded picture. ImageTruncated or ImageCorrupt for anything that libjpeg so much as warns about."""
    if header.components == 4:
        inks = _decoded(content, "CMYK")
        # Adobe's files store how much ink is missing
        return Raw(np.invert(inks) if header.adobe else inks, "CMYK", profile=header.profile)
    if header.components == 1 and header.profile is not None:
        return Raw(_decoded(content, "GRAY")[:, :, 0], "L", profile=header.profile)
    return Raw(_decoded(content, "RGB"), "RGB", profile=header.profile)


def _decoded(content: bytes, colours: str) -> NDArray[np.uint8]:
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(content, colours, strict=True)
    except ValueError as error:
        reason = str(error)
        if "premature end of jpeg" in reason.lower():
            raise ImageTruncated from None
        raise ImageCorrupt(reason) from None
    return pixels
