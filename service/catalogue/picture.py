"""What an operation does, as a picture: the sample, the other one where two are mixed, and an example of it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from PIL import Image

from kernels import augment
from kernels.codec import decode
from kernels.coverage import coverage
from kernels.labels import write_mask
from kernels.op import Mix, Op
from kernels.params import Params
from kernels.recipe import Recipe
from kernels.tensors import Size

_GAP = 8
_PAPER = (255, 255, 255)
_FRAME = (236, 236, 236)
_SEED = 7
_CUP = (
    *((105, 40), (118, 20), (160, 11), (215, 15), (240, 35), (262, 55), (285, 95), (288, 140), (270, 185)),
    *((235, 215), (180, 230), (130, 225), (80, 195), (52, 150), (47, 110), (60, 70), (85, 48)),
)
"""The cup on its saucer, in the other sample."""


def before_and_after(op: Op) -> Image.Image:
    """The sample picture and, beside it at the same scale, its first example; between them what is mixed in."""
    mixes = isinstance(op.kind, Mix) and op.kind.partners
    pictures = [sample(), *([other_sample()] if mixes else []), example(op.examples[0])]
    width, height = max(picture.width for picture in pictures), max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height), _PAPER)
    for place, picture in enumerate(pictures):
        left = place * (width + _GAP)
        sheet.paste(_FRAME, (left, 0, left + width, height))
        sheet.paste(picture, (left + (width - picture.width) // 2, (height - picture.height) // 2))
    return sheet


def example(params: Params) -> Image.Image:
    """The sample after one step that is always applied."""
    step = params.model_copy(update={"chance": 1.0})
    pictures, keys = [np.array(sample()), np.array(other_sample())], ["sample", "other"]
    labels = {"polygons": [{"points": _CUP}], "mask": _cup_mask()}
    made, _ = augment(pictures, Recipe(steps=(step,)), _SEED, keys=keys, labels=[None, labels])
    if made.image is None:
        raise ValueError(f"{params.op}: its example does not fit the sample picture: {made.error}")
    return Image.fromarray(made.image.numpy())


@cache
def _cup_mask() -> str:
    """A class mask of the other sample: 1 on the cup."""
    width, height = other_sample().size
    return write_mask((coverage(np.array(_CUP, dtype=np.float64), Size(height, width)) > 0.5).astype(np.uint8))


@cache
def sample() -> Image.Image:
    """A photograph that may be used freely (its licence lies beside it), 360 x 240."""
    return _read("chelsea.jpg")


@cache
def other_sample() -> Image.Image:
    """A second photograph that may be used freely, 360 x 240: what operations that mix pictures mix in."""
    return _read("coffee.jpg")


def _read(name: str) -> Image.Image:
    return Image.fromarray(decode(files("service.catalogue").joinpath("sample", name).read_bytes()))
