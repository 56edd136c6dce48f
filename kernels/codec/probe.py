"""probe: what a picture file says of itself, from its header alone."""

from __future__ import annotations

from kernels.codec import jpeg, pillow, png
from kernels.codec.limits import Format, Limits, Probe, check_frames, check_size, oriented
from kernels.errors import UnsupportedFormat


def probe(content: bytes, limits: Limits = Limits()) -> Probe:  # noqa: B008  # frozen
    """Format, sides after EXIF orientation and frames; no pixel is decoded.

    The first bytes decide the format. UnsupportedFormat, ImageUnreadable, ImageTruncated, ImageCorrupt, ImageDimensions,
    ImageTooManyPixels, ImageMetadata, TooManyFrames.
    """
    form = format_of(content)
    if form == "jpeg":
        head = jpeg.header(content)
        check_size(head.width, head.height, limits)
        return oriented(form, head.width, head.height, 1, head.orientation)
    if form == "png":
        chunk = png.header(content)
        check_size(chunk.width, chunk.height, limits)
        check_frames(chunk.frames, limits)
        return oriented(form, chunk.width, chunk.height, chunk.frames, chunk.orientation)
    return pillow.probe(content, form, limits)


def format_of(content: bytes) -> Format:
    """The format that the first bytes show. UnsupportedFormat."""
    start = content[:32]
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start.startswith(png.SIGNATURE):
        return "png"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "tiff"
    if start[4:8] == b"ftyp" and _is_avif(content):
        return "avif"
    if start.startswith(b"BM"):
        return "bmp"
    raise UnsupportedFormat


def _is_avif(content: bytes) -> bool:
    """Whether the file type box names AVIF among its brands."""
    length = min(int.from_bytes(content[:4], "big"), 1024)
    brands = content[8:12] + content[16:length]
    return any(brands[place : place + 4] in (b"avif", b"avis") for place in range(0, len(brands), 4))
