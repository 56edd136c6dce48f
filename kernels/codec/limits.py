"""What a picture file may ask of us, and what its header says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kernels.errors import ImageDimensions, ImageMetadata, ImageTooManyPixels, TooManyFrames
from kernels.tensors import MAX_PIXELS, MAX_SIDE

Format = Literal["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"]

MEDIA_TYPES: dict[Format, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "avif": "image/avif",
}

MAX_PROFILE_BYTES = 8 * 2**20
"""Most bytes of a colour profile, unpacked."""
MAX_TEXT_BYTES = 2**20
"""Most bytes of one compressed text, unpacked, and of all comments before the first frame of a GIF."""
MAX_PIECES = 100_000
"""Most segments, chunks or blocks of one file: each costs time, and a file can be made of nothing else."""
MAX_SCANS = 100
"""Most scans of a JPEG: each may cost a pass over all pixels for a few bytes of file."""


@dataclass(frozen=True)
class Limits:
    """What a picture file may ask of us. Exceeding one is refused from the header, before anything is decoded."""

    max_bytes: int = 25 * 2**20
    """Bytes of the file."""
    max_pixels: int = MAX_PIXELS
    """Width times height."""
    max_side: int = MAX_SIDE
    """Pixels of the longer side."""
    max_frames: int = 10_000
    """Frames or pages that a file may hold beside the first, which alone is used."""


@dataclass(frozen=True)
class Probe:
    """What the header says: nothing of the pixels was decoded."""

    format: Format
    """The format that the first bytes show, whatever name or declared type came with the file."""
    width: int
    """Pixels across, after the EXIF orientation was applied."""
    height: int
    """Pixels down, after the EXIF orientation was applied."""
    frames: int = 1
    """Frames or pages in the file; only the first is used."""
    orientation: int = 1
    """EXIF orientation, 1 to 8, that `decode` applies."""

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.format]


def check_size(width: int, height: int, limits: Limits) -> None:
    """Nothing, if a picture of this size may be decoded; ImageDimensions or ImageTooManyPixels otherwise."""
    if width * height > limits.max_pixels:
        raise ImageTooManyPixels(width, height, limits.max_pixels)
    if not (0 < width <= limits.max_side and 0 < height <= limits.max_side):
        raise ImageDimensions(width, height, limits.max_side)


def check_frames(frames: int, limits: Limits) -> None:
    """Nothing, or TooManyFrames."""
    if frames > limits.max_frames:
        raise TooManyFrames(frames, limits.max_frames)


def check_pieces(pieces: int) -> None:
    """Nothing, or ImageMetadata."""
    if pieces > MAX_PIECES:
        raise ImageMetadata(f"the file is cut into more than {MAX_PIECES} pieces")


@dataclass(frozen=True)
class Container:
    """What our own parser found in a file whose pixels Pillow decodes."""

    width: int
    height: int
    frames: int
    orientation: int
