"""probe: what a picture file says of itself, from its header alone."""

from __future__ import annotations

from kernels.codec import jpeg, pillow, png
from kernels.codec.limits import Container, Format, Limits, Probe
from kernels.errors import PayloadTooLarge, UnsupportedFormat


def probe(content: bytes, limits: Limits = Limits()) -> Probe:  # noqa: B008  # frozen
    """Format, sides after EXIF orientation and frames; no pixel is decoded.

    The first bytes decide the format. UnsupportedFormat, ImageUnreadable, ImageTruncated, ImageCorrupt, ImageDimensions,
    ImageTooManyPixels, ImageMetadata, TooManyFrames, PayloadTooLarge.
    """
    form = format_of(content, limits)
    head: jpeg.Header | png.Header | Container
    match form:
        case "jpeg":
            head = jpeg.header(content, limits)
        case "png":
            head = png.header(content, limits)
        case _:
            head = pillow.container(content, form, limits)
    width, height = (head.height, head.width) if head.orientation >= 5 else (head.width, head.height)
    return Probe(form, width, height, head.frames, head.orientation)


def format_of(content: bytes, limits: Limits) -> Format:
    """The format that the first bytes show. UnsupportedFormat, PayloadTooLarge."""
    if len(content) > limits.max_bytes:
        raise PayloadTooLarge(len(content), limits.max_bytes)
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
