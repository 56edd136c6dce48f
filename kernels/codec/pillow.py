"""GIF, BMP, TIFF, WebP and AVIF through Pillow's plug-ins, first frame or page only, strictly.

Each plug-in is called directly, by the format that the first bytes show, after our own parser found the file whole:
Pillow never guesses among its forty formats, and its global limits and warnings stay as they are.
"""

from __future__ import annotations

import ctypes
import logging
import struct
import warnings
from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
from PIL import AvifImagePlugin, BmpImagePlugin, GifImagePlugin, Image, ImageFile, TiffImagePlugin, WebPImagePlugin
from PIL import _imaging as pillow_core

from kernels.codec import avif, gif, tiff, webp
from kernels.codec.exif import orientation
from kernels.codec.limits import MAX_PROFILE_BYTES, Container, Format, Limits, check_frames, check_size
from kernels.codec.raw import Raw, eight_bits
from kernels.errors import ImageCorrupt, ImageMetadata, ImageTruncated, ImageUnreadable, UnsupportedFormat


class _FirstPage(TiffImagePlugin.TiffImageFile):
    """A TIFF whose nested directories are left alone and whose orientation is left to us."""

    def load_end(self) -> None:
        pass


_PLUGINS: dict[Format, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": _FirstPage,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
}
_CONTAINERS: dict[Format, Callable[[bytes, Limits], Container]] = {
    "gif": gif.container,
    "tiff": tiff.container,
    "webp": webp.container,
}
DAMAGE = (
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
    struct.error,
    Warning,
    Image.DecompressionBombError,
)
"""What Pillow's plug-ins raise on a damaged file: their parsers trust the file's own counts and offsets."""


def _silence() -> None:
    """libtiff and OpenCV print what they refuse beside reporting it; Pillow warns of the odd tags that it passes over."""
    library = ctypes.CDLL(pillow_core.__file__)
    if hasattr(library, "TIFFSetErrorHandler"):
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(None)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")
    logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)


_silence()


def _opened(content: bytes, form: Format) -> ImageFile.ImageFile:
    try:
        return _PLUGINS[form](BytesIO(content))
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        if reason == "unknown pixel mode":
            raise UnsupportedFormat(f"a {form.upper()} with an unusual kind of pixels") from None
        raise ImageUnreadable(reason) from None


def container(content: bytes, form: Format, limits: Limits) -> Container:
    """The header of a file whose first bytes show `form`. ImageUnreadable, ImageDimensions, ..."""
    if form in _CONTAINERS:
        return _CONTAINERS[form](content, limits)
    if form == "avif":
        avif.check_whole(content)
    with _opened(content, form) as image:
        check_size(*image.size, limits)
        frames = int(getattr(image, "n_frames", 1))
        check_frames(frames, limits)
        # AVIF says by its own properties how it is turned; Pillow writes that into the EXIF block
        exif = image.info.get("exif")
        return Container(*image.size, frames, orientation(exif) if isinstance(exif, bytes) else 1)


def raw(content: bytes, form: Format) -> Raw:
    """The decoded first frame. ImageTruncated, ImageCorrupt, UnsupportedFormat."""
    with _opened(content, form) as image:
        if form == "bmp" and image.tile and image.tile[0].codec_name == "bmp_rle":
            return _run_lengths(content, image.size)
        sixteen = form == "tiff" and image.mode in ("RGB", "RGBA") and ";16" in str(image.tile)
        inverted = form == "tiff" and image.mode.startswith("I;16") and image.tag_v2.get(262) == 0  # type: ignore[attr-defined]  # TIFF
        try:
            image.load()
        except DAMAGE as error:
            reason = str(error) or type(error).__name__
            if "truncated" in reason.lower():
                raise ImageTruncated(reason) from None
            raise ImageCorrupt(reason) from None
        raw = _colours(image, form)
    if inverted:
        return Raw(np.invert(raw.pixels), raw.colours, raw.alpha, raw.profile)
    return _exact(content, raw) if sixteen else raw


def _run_lengths(content: bytes, size: tuple[int, int]) -> Raw:
    """A run-length encoded BMP by OpenCV: Pillow's own loop is in Python and fills up what is missing."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None or pixels.shape[1::-1] != size:
        raise ImageCorrupt("the run lengths end too early or too late")
    return Raw(np.asarray(pixels, np.uint8), "RGB")


def _exact(content: bytes, raw: Raw) -> Raw:
    """The same picture from 16-bit values rounded, of which Pillow keeps the upper halves, where OpenCV reads them too."""
    deep = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.shape != (*raw.pixels.shape[:2], 3 if raw.alpha is None else 4):
        return raw
    rounded = eight_bits(np.asarray(deep, np.uint16))
    colours = np.ascontiguousarray(rounded[:, :, 2::-1])
    if np.abs(colours.astype(np.int16) - raw.pixels).max() > 1:
        return raw
    return Raw(colours, "RGB", None if raw.alpha is None else np.ascontiguousarray(rounded[:, :, 3]), raw.profile)


def _colours(image: Image.Image, form: Format) -> Raw:
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) and profile else None
    if profile is not None and len(profile) > MAX_PROFILE_BYTES:
        raise ImageMetadata(f"the colour profile has {len(profile)} bytes")
    if image.mode.startswith("I;16"):
        return Raw(eight_bits(np.asarray(image).astype(np.uint16)), "L", profile=profile)
    if image.mode in ("PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    match image.mode:
        case "1" | "L":
            return Raw(np.array(image.convert("L"), np.uint8), "L", profile=profile)
        case "P" | "RGB" | "RGBX" | "YCbCr":
            return Raw(np.array(image.convert("RGB"), np.uint8), "RGB", profile=profile)
        case "CMYK" | "LAB":
            return Raw(np.array(image, np.uint8), "CMYK" if image.mode == "CMYK" else "LAB", profile=profile)
        case "RGBA":
            pixels = np.array(image, np.uint8)
            return Raw(np.ascontiguousarray(pixels[:, :, :3]), "RGB", np.ascontiguousarray(pixels[:, :, 3]), profile)
        case _:
            raise UnsupportedFormat(f"a {form.upper()} with pixels of the kind {image.mode}")
