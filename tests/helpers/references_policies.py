"""References of operations that automatic policies are made of; see `references`."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from kernels.plan import PlannedStep
from tests.helpers.references import Levels, Pixels, Reference


def equalize(pixels: Pixels, step: PlannedStep) -> Levels:
    return np.asarray(ImageOps.equalize(Image.fromarray(pixels)), dtype=np.float64)


def sharpness(pixels: Pixels, step: PlannedStep) -> Levels:
    levels, factor = pixels.astype(np.float64), step.fields["factor"]
    result = levels.copy()
    weights = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    for y in range(1, levels.shape[0] - 1):
        for x in range(1, levels.shape[1] - 1):
            soft = (levels[y - 1 : y + 2, x - 1 : x + 2] * weights[..., None]).sum(axis=(0, 1))
            result[y, x] = soft + factor * (levels[y, x] - soft)
    return np.clip(result, 0, 255)


REFERENCES: dict[str, Reference] = {"equalize": equalize, "sharpness": sharpness}
