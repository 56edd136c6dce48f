"""What an operation does, as a picture: the sample, the other one where two are mixed, and an example of it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from PIL import Image, ImageOps

from kernels import augment
from kernels.codec import decode
from kernels.op import Mix, Op
from kernels.params import Params
from kernels.recipe import Recipe

_GAP = 8
_CELL = 180
_COLUMNS, _ROWS = 4, 2
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
    pictures = [sample(), *([other_sample()] if isinstance(op.kind, Mix) else []), example(op.examples[0])]
    width, height = max(picture.width for picture in pictures), max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height), _PAPER)
    for place, picture in enumerate(pictures):
        left = place * (width + _GAP)
        sheet.paste(_FRAME, (left, 0, left + width, height))
        sheet.paste(picture, (left + (width - picture.width) // 2, (height - picture.height) // 2))
    return sheet


def sheet_of(recipe: Recipe) -> Image.Image:
    """The sample picture and seven variants of it, in two rows, each brought to the same cell."""
    made = augment([np.array(sample())], recipe, _SEED, keys=["sample"], variants=_COLUMNS * _ROWS - 1)
    pictures = [sample(), *(Image.fromarray(one.image.numpy()) for one in made if one.image is not None)]
    sheet = Image.new("RGB", (_COLUMNS * (_CELL + _GAP) - _GAP, _ROWS * (_CELL + _GAP) - _GAP), _PAPER)
    for place, picture in enumerate(pictures):
        small = ImageOps.contain(picture, (_CELL, _CELL))
        left, top = place % _COLUMNS * (_CELL + _GAP), place // _COLUMNS * (_CELL + _GAP)
        sheet.paste(small, (left + (_CELL - small.width) // 2, top + (_CELL - small.height) // 2))
    return sheet


def example(params: Params) -> Image.Image:
    """The sample after one step that is always applied."""
    step = params.model_copy(update={"chance": 1.0})
    pictures, keys = [np.array(sample()), np.array(other_sample())], ["sample", "other"]
    made, _ = augment(pictures, Recipe(steps=(step,)), _SEED, keys=keys, labels=[None, {"polygons": [{"points": _CUP}]}])
    if made.image is None:
        raise ValueError(f"{params.op}: its example does not fit the sample picture: {made.error}")
    return Image.fromarray(made.image.numpy())


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
