"""GIF, BMP, TIFF, WebP and AVIF through Pillow's own plug-ins, first frame or page only, strictly.

Each plug-in is called directly, by the format that the first bytes show: Pillow never guesses among its forty formats,
and its global limits and warnings stay as they are.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, ImageFile, TiffImagePlugin, WebPImagePlugin
from PIL import _imaging as pillow_core

from kernels.codec.exif import orientation
from kernels.codec.limits import MAX_METADATA_BYTES, Format, Limits, Probe, check_frames, check_size, oriented
from kernels.codec.raw import Raw, eight_bits
from kernels.errors import ImageCorrupt, ImageMetadata, ImageTruncated, ImageUnreadable, UnsupportedFormat

_PLUGINS: dict[Format, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
}
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    MemoryError,
    struct.error,
    Warning,
    Image.DecompressionBombError,
)
"""What Pillow's plug-ins raise on a damaged file: their parsers trust the file's own counts and offsets."""


def _silence_libtiff() -> None:
    # libtiff prints its errors to stderr beside reporting them; Pillow silences its warnings only
    library = ctypes.CDLL(pillow_core.__file__)
    if hasattr(library, "TIFFSetErrorHandler"):
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(None)


_silence_libtiff()


def _opened(content: bytes, form: Format) -> ImageFile.ImageFile:
    try:
        return _PLUGINS[form](BytesIO(content))
    except _DAMAGE as error:
        raise ImageUnreadable(str(error) or type(error).__name__) from None


def probe(content: bytes, form: Format, limits: Limits) -> Probe:
    """The header of a file whose first bytes show `form`. ImageUnreadable, ImageDimensions, ..."""
    with _opened(content, form) as image:
        check_size(*image.size, limits)
        frames = _frames(image)
        check_frames(frames, limits)
        return oriented(form, *image.size, frames, _orientation(image, form))


def _frames(image: ImageFile.ImageFile) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except _DAMAGE:
        return 1


def _orientation(image: ImageFile.ImageFile, form: Format) -> int:
    if form == "tiff":
        return 1
    exif = image.info.get("exif")
    return orientation(exif) if isinstance(exif, bytes) else 1


def raw(content: bytes, form: Format) -> Raw:
    """The decoded first frame. ImageTruncated, ImageCorrupt, UnsupportedFormat."""
    with _opened(content, form) as image:
        try:
            image.load()
        except _DAMAGE as error:
            reason = str(error) or type(error).__name__
            if "truncated" in reason.lower():
                raise ImageTruncated(reason) from None
            raise ImageCorrupt(reason) from None
        return _colours(image, form)


def _colours(image: Image.Image, form: Format) -> Raw:
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) and profile else None
    if profile is not None and len(profile) > MAX_METADATA_BYTES:
        raise ImageMetadata(f"the colour profile has {len(profile)} bytes")
    if image.mode.startswith("I;16"):
        return Raw(eight_bits(np.asarray(image).astype(np.uint16)), "L", profile=profile)
    if image.mode in ("PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    match image.mode:
        case "1":
            return Raw(np.array(image.convert("L"), np.uint8), "L", profile=profile)
        case "L":
            return Raw(np.array(image, np.uint8), "L", profile=profile)
        case "RGB":
            return Raw(np.array(image, np.uint8), "RGB", profile=profile)
        case "CMYK":
            return Raw(np.array(image, np.uint8), "CMYK", profile=profile)
        case "RGBA":
            pixels = np.array(image, np.uint8)
            return Raw(np.ascontiguousarray(pixels[:, :, :3]), "RGB", np.ascontiguousarray(pixels[:, :, 3]), profile)
        case "P" | "RGBX" | "YCbCr":
            return Raw(np.array(image.convert("RGB"), np.uint8), "RGB", profile=profile)
        case _:
            raise UnsupportedFormat(f"a {form.upper()} with pixels of the kind {image.mode}")
