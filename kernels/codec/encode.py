"""encode: pixels to bytes, the same bytes every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from kernels.codec.raw import over_black
from kernels.errors import ImageDimensions

if TYPE_CHECKING:
    from kernels.recipe import Output

_LONGEST_SIDE = {"jpeg": 65_500, "png": 1_000_000, "webp": 16_383}


def encode(pixels: NDArray[np.uint8], output: Output) -> bytes:
    """A file of the asked format, without metadata. pixels: (H, W, 3), or (H, W, 4) with alpha.

    Alpha is stored where `output.alpha` is "keep" (PNG, WebP) and composited over black otherwise. JPEG is 4:2:0.
    ImageDimensions if the format cannot hold so long a side (WebP: 16,383 pixels).
    """
    if pixels.shape[2] == 4 and (output.alpha == "drop" or output.format == "jpeg"):
        pixels = over_black(pixels[:, :, :3], pixels[:, :, 3])
    return written(pixels, output.format, output.quality)


def written(pixels: NDArray[np.uint8], form: Literal["jpeg", "png", "webp"], quality: int) -> bytes:
    """The same for a format and quality, every channel as it is; a JPEG has three."""
    height, width = pixels.shape[:2]
    longest = _LONGEST_SIDE[form]
    if max(height, width) > longest or not min(height, width):
        raise ImageDimensions(width, height, longest)
    if form == "jpeg":
        content: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB", "420", fastdct=False)
        return content
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    parameters = [cv2.IMWRITE_WEBP_QUALITY, quality] if form == "webp" else []
    done, encoded = cv2.imencode(f".{form}", cv2.cvtColor(pixels, order), parameters)
    assert done, f"OpenCV refused a {width} x {height} picture as {form}"
    return encoded.tobytes()
