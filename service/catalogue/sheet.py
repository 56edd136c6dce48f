"""What a recipe does, as a sheet of pictures: the sample and variants of it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from kernels import augment
from kernels.recipe import Recipe
from service.catalogue.picture import sample

_GAP = 8
_CELL = 180
_COLUMNS, _ROWS = 4, 2
_PAPER = (255, 255, 255)
_SEED = 7


def sheet(recipe: Recipe) -> Image.Image:
    """The sample picture and seven variants of it, in two rows, each brought to the same cell."""
    made = augment([np.array(sample())], recipe, _SEED, keys=["sample"], variants=_COLUMNS * _ROWS - 1)
    pictures = [sample(), *(Image.fromarray(one.image.numpy()) for one in made if one.image is not None)]
    result = Image.new("RGB", (_COLUMNS * (_CELL + _GAP) - _GAP, _ROWS * (_CELL + _GAP) - _GAP), _PAPER)
    for place, picture in enumerate(pictures):
        small = ImageOps.contain(picture, (_CELL, _CELL))
        left, top = place % _COLUMNS * (_CELL + _GAP), place // _COLUMNS * (_CELL + _GAP)
        result.paste(small, (left + (_CELL - small.width) // 2, top + (_CELL - small.height) // 2))
    return result
