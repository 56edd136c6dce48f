"""Canaries: pictures that carry a number in their pixels, which is still there after flips, brightness, noise and JPEG.

The number is drawn as 8 x 8 blocks of 8 x 8 pixels, dark for 0 and bright for 1: 48 bits, and a CRC of 16. A block's mean
against the middle of the darkest and the brightest one gives its bit back; the CRC says which of the four flips it was.
"""

from __future__ import annotations

import binascii
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, BLOCK = 8, 8
STEPS = [
    {"op": "hflip", "chance": 0.5},
    {"op": "vflip", "chance": 0.5},
    {"op": "brightness", "factor": [0.7, 1.2]},
    {"op": "gaussian_noise", "sigma": [0.0, 0.05]},
]
"""A recipe that every canary survives, with draws that make each variant another picture."""
OUTPUT = {"format": "jpeg", "quality": 90}


def canary(number: int, truncated: bool = False, poison: str = "") -> bytes:
    """The picture of a number of up to 48 bits, as a PNG; cut short, or marked as poison."""
    content = number.to_bytes(6, "big")
    bits = np.unpackbits(np.frombuffer(content + binascii.crc_hqx(content, 0xFFFF).to_bytes(2, "big"), np.uint8))
    blocks = np.where(bits.reshape(SIDE, SIDE) == 1, 200, 40).astype(np.uint8)
    pixels = blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    buffer = io.BytesIO()
    Image.fromarray(np.stack([pixels, pixels, 255 - pixels // 4], axis=-1)).save(buffer, "PNG")
    file = buffer.getvalue()
    return file[: len(file) * 2 // 3] if truncated else file + (f"augment-poison:{poison}".encode() if poison else b"")


def number_of(file: bytes) -> int | None:
    """The number that a result carries, or None where it carries none. Errors: those of Pillow for what is no picture."""
    pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), np.float64)[..., :2].mean(axis=-1)
    if pixels.shape != (SIDE * BLOCK, SIDE * BLOCK):
        return None
    means = pixels.reshape(SIDE, BLOCK, SIDE, BLOCK)[:, 1:-1, :, 1:-1].mean(axis=(1, 3))
    bits = means > (means.min() + means.max()) / 2
    for turned in (bits, bits[:, ::-1], bits[::-1], bits[::-1, ::-1]):
        if (found := _checked(turned)) is not None:
            return found
    return None


def _checked(bits: NDArray[np.bool_]) -> int | None:
    content = np.packbits(bits.reshape(-1)).tobytes()
    is_whole = binascii.crc_hqx(content[:6], 0xFFFF) == int.from_bytes(content[6:], "big")
    return int.from_bytes(content[:6], "big") if is_whole else None
