"""decode: a picture file as 8-bit RGB pixels, upright, or the reason why not."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernels.codec import jpeg, pillow, png
from kernels.codec.exif import upright
from kernels.codec.limits import Limits, check_frames, check_size
from kernels.codec.probe import format_of
from kernels.codec.raw import finished


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
    form = format_of(content)
    if form == "jpeg":
        head = jpeg.header(content)
        check_size(head.width, head.height, limits)
        raw, turn = jpeg.raw(content, head), head.orientation
    elif form == "png":
        chunk = png.header(content)
        check_size(chunk.width, chunk.height, limits)
        check_frames(chunk.frames, limits)
        raw, turn = png.raw(content, chunk), chunk.orientation
    else:
        turn = pillow.probe(content, form, limits).orientation
        raw = pillow.raw(content, form)
    return np.ascontiguousarray(upright(finished(raw, alpha), turn))
