"""text_overlay: writing over the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Color, Params, Range, Uniform


class TextOverlay(Params):
    """Write a line of text over the picture, as watermarks and captions are; it is made smaller until it fits the width."""

    op: Literal["text_overlay"] = "text_overlay"
    text: Annotated[str, Field(min_length=1, max_length=64, strict=True, pattern=r"^[ -~]+$")] = "Sample"
    """What is written: letters, digits and signs of ASCII."""
    size: Annotated[Range, Uniform(0.01, 1, unit="fraction of the shorter side")] = (0.08, 0.2)
    """Size of the letters."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0, 1)
    """Place of the text from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0, 1)
    """Place of the text from top (0) to bottom (1)."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (0.5, 1)
    """How much of it covers the picture."""
    color: Color = (1.0, 1.0, 1.0)
    """Its colour."""


def text_overlay(
    image: torch.Tensor,
    text: str,
    size: float,
    x: float,
    y: float,
    opacity: float,
    color: tuple[float, float, float],
) -> torch.Tensor:
    height, width = image.shape[2:]
    letters = fitted(text, size * min(height, width), width)
    left, top, right, bottom = letters.getbbox(text)
    place = round(x * (width - (right - left)) - left), round(y * (height - (bottom - top)) - top)
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).text(place, text, 255, letters)
    return veiled(image, np.asarray(mask, dtype=np.float32) * np.float32(opacity / 255.0), color)


def fitted(text: str, size: float, width: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, in the size asked for or in that in which the text is as wide as the picture."""
    left, _, right, _ = _font(100.0).getbbox(text)
    return _font(max(min(size, 100.0 * width / max(right - left, 1.0)), 1.0))


def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


OP = Op(
    TextOverlay,
    Whole(text_overlay),
    examples=(
        TextOverlay(text="Sample 42", size=(0.2, 0.2), x=(0.5, 0.5), y=(0.8, 0.8), opacity=(0.9, 0.9)),
        TextOverlay(text="(c) all rights", size=(0.5, 0.5), color=(0.9, 0.1, 0.1), opacity=(1, 1)),
    ),
)
