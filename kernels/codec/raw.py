"""Raw: a picture as its file stores it; `finished` makes it the 8-bit RGB that everything else works on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Bytes = NDArray[np.uint8]
Colours = Literal["L", "RGB", "CMYK", "LAB"]
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


@dataclass(frozen=True)
class Raw:
    """Colours as stored, before orientation. pixels: (H, W) for L, (H, W, 3) for RGB and LAB, (H, W, 4) for
    CMYK, where 255 is all ink."""

    pixels: Bytes
    colours: Colours
    alpha: Bytes | None = None
    """(H, W), 255 is opaque."""
    profile: bytes | None = None
    """The embedded ICC profile."""


def finished(raw: Raw, alpha: Literal["drop", "keep"]) -> Bytes:
    """8-bit sRGB, (H, W, 3); (H, W, 4) where the picture has transparency and it is kept. Otherwise it lies on black."""
    pixels = _rgb(raw)
    if raw.alpha is None:
        return pixels
    if alpha == "keep":
        return np.dstack((pixels, raw.alpha))
    return over_black(pixels, raw.alpha)


def over_black(pixels: Bytes, alpha: Bytes) -> Bytes:
    """pixels (H, W, 3) seen through alpha (H, W) on a black ground: rounded, exact at 0 and 255."""
    product = pixels.astype(np.uint16) * alpha[:, :, None]
    product += 128
    # (v + (v >> 8)) >> 8 is v / 255 rounded, for every product of two bytes plus 128
    product += product >> 8
    product >>= 8
    return product.astype(np.uint8)


def eight_bits(pixels: NDArray[np.uint8 | np.uint16]) -> Bytes:
    """16-bit values scaled by 255 / 65535, rounded: 257 of theirs are one of ours."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _rgb(raw: Raw) -> Bytes:
    transform = _from_lab() if raw.colours == "LAB" else _transform(raw.profile, raw.colours) if raw.profile else None
    if transform is not None:
        image = Image.fromarray(np.ascontiguousarray(raw.pixels), raw.colours)
        return np.array(transform.apply(image), np.uint8)
    match raw.colours:
        case "L":
            return np.asarray(cv2.cvtColor(raw.pixels, cv2.COLOR_GRAY2RGB), np.uint8)
        case "CMYK":
            inverted = np.invert(raw.pixels)
            return over_black(inverted[:, :, :3], inverted[:, :, 3])
        case _:
            return raw.pixels


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")


# a few profiles serve nearly all pictures; building a transform costs milliseconds
@lru_cache(maxsize=16)
def _transform(profile: bytes, colours: Colours) -> ImageCms.ImageCmsTransform | None:
    """How to reach sRGB; None if the profile is sRGB already, is damaged or is for other colours."""
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        if opened.profile.xcolor_space.strip() != _SPACES[colours]:
            return None
        if "srgb" in (opened.profile.profile_description or "").lower():
            return None
        return ImageCms.buildTransform(
            opened,
            ImageCms.createProfile("sRGB"),
            colours,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
