"""Bytes to pixels and back: `probe` reads headers, `decode` makes 8-bit RGB of any supported file, `encode` writes one."""

from __future__ import annotations

import cv2
import PIL
import simplejpeg
from PIL import features

from kernels.codec.decode import decode
from kernels.codec.encode import encode
from kernels.codec.limits import MEDIA_TYPES, Format, Limits, Probe
from kernels.codec.probe import probe


def _version() -> str:
    parts = {"simplejpeg": simplejpeg.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}
    parts |= {name: features.version(name) or "-" for name in ("webp", "avif", "libtiff", "littlecms2")}
    return " ".join(f"{name}-{version}" for name, version in parts.items())


CODEC_VERSION = _version()
"""Versions of the libraries that decide the bytes of results."""

__all__ = ["CODEC_VERSION", "MEDIA_TYPES", "Format", "Limits", "Probe", "decode", "encode", "probe"]
