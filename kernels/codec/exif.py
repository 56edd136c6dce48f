"""The orientation in EXIF metadata, and how it is applied."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

_ORIENTATION = 0x0112
_MAX_ENTRIES = 1000
_READERS = {1: "B", 3: "H", 4: "I"}


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in a TIFF-shaped EXIF block; 1 where there is none or the block is damaged.

    Only the first directory is read, so a loop of directories costs nothing.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(min(entries, _MAX_ENTRIES)):
            place = directory + 2 + 12 * entry
            tag, kind, count = struct.unpack_from(order + "HHI", exif, place)
            if tag == _ORIENTATION:
                reader = _READERS.get(kind)
                if reader is None or count != 1:
                    return 1
                (value,) = struct.unpack_from(order + reader, exif, place + 8)
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The picture as it is meant to be seen. pixels: (H, W, 3 or 4), as stored in the file."""
    if orientation == 1:
        return pixels
    turned: object
    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180)
        case _:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return np.asarray(turned, np.uint8)
