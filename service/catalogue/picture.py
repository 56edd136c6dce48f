"""What an operation does, as a picture: the sample beside an example of it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from PIL import Image

from kernels import augment
from kernels.codec import decode
from kernels.op import Op
from kernels.params import Params
from kernels.recipe import Recipe

_GAP = 8
_PAPER = (255, 255, 255)
_FRAME = (236, 236, 236)
_SEED = 7


def before_and_after(op: Op) -> Image.Image:
    """The sample picture and, beside it at the same scale, its first example."""
    before = sample()
    after = example(op.examples[0])
    width, height = max(before.width, after.width), max(before.height, after.height)
    sheet = Image.new("RGB", (2 * width + _GAP, height), _PAPER)
    for place, picture in enumerate((before, after)):
        left = place * (width + _GAP)
        sheet.paste(_FRAME, (left, 0, left + width, height))
        sheet.paste(picture, (left + (width - picture.width) // 2, (height - picture.height) // 2))
    return sheet


def example(params: Params) -> Image.Image:
    """The sample after one step that is always applied."""
    step = params.model_copy(update={"chance": 1.0})
    (made,) = augment([np.array(sample())], Recipe(steps=(step,)), _SEED, keys=["sample"])
    if made.image is None:
        raise ValueError(f"{params.op}: its example does not fit the sample picture: {made.error}")
    return Image.fromarray(made.image.numpy())


@cache
def sample() -> Image.Image:
    """A photograph that may be used freely (its licence lies beside it), 360 x 240."""
    content = files("service.catalogue").joinpath("sample/chelsea.jpg").read_bytes()
    return Image.fromarray(decode(content))
