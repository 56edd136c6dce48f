"""decode: a picture file as 8-bit RGB pixels, upright, or the reason why not."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernels.codec import jpeg, pillow, png, png_pixels
from kernels.codec.exif import upright
from kernels.codec.limits import Limits
from kernels.codec.probe import format_of
from kernels.codec.raw import finished
from kernels.errors import ImageCorrupt


def decode(
    content: bytes,
    *,
    alpha: Literal["drop", "keep"] = "drop",
    limits: Limits = Limits(),  # noqa: B008  # frozen
) -> NDArray[np.uint8]:
    """Contiguous sRGB pixels, (H, W, 3) uint8, with the EXIF orientation applied; (H, W, 4) if there is alpha to keep.

    The first frame or page of several. Embedded profiles other than sRGB are converted, damaged ones ignored; CMYK,
    palettes, grey and 1-, 2-, 4- and 16-bit values become 8-bit RGB; alpha that is dropped lies on black. Nothing is
    repaired: ImageTruncated, ImageCorrupt, and all that `probe` raises.
    """
    form = format_of(content, limits)
    match form:
        case "jpeg":
            header = jpeg.header(content, limits)
            raw, turn = jpeg.raw(content, header), header.orientation
        case "png":
            chunks = png.header(content, limits)
            raw, turn = png_pixels.raw(content, chunks), chunks.orientation
        case _:
            container = pillow.container(content, form, limits)
            raw, turn = pillow.raw(content, form), container.orientation
            if raw.pixels.shape[:2] != (container.height, container.width):
                raise ImageCorrupt("the decoded picture has other sides than the header says")
    return np.ascontiguousarray(upright(finished(raw, alpha), turn))
