"""What is measured on: the recipes, and distinct cuts of the photographs in scikit-image (extra `demo`)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SIDE = 512
SEED = 7
REFERENCE_PIPELINE: dict[str, Any] = {
    "steps": [
        {"op": "random_resized_crop", "size": [224, 224]},
        {"op": "hflip", "chance": 0.5},
        {"op": "rotate", "degrees": [-15, 15]},
        {"op": "color_jitter", "hue": [-0.1, 0.1]},
        {"op": "gaussian_blur", "sigma": [0.1, 2.0], "chance": 0.3},
    ],
    "output": {"format": "jpeg", "quality": 90},
}
TEN_COLOURS: dict[str, Any] = {
    "steps": [
        {"op": "brightness", "factor": 1.15},
        {"op": "contrast", "factor": 1.2},
        {"op": "saturation", "factor": 1.25},
        {"op": "hue", "turn": 0.06},
        {"op": "gamma", "exponent": 0.85},
        {"op": "tint", "amount": 0.05},
        {"op": "solarize", "threshold": 0.9},
        {"op": "posterize", "bits": 6},
        {"op": "cutout"},
        {"op": "gaussian_noise", "sigma": 0.04},
    ],
}
SIX_STEPS: dict[str, Any] = {"steps": [*REFERENCE_PIPELINE["steps"], {"op": "gaussian_noise", "chance": 0.5}]}
"""What the cost of planning is measured on."""


def photographs(count: int) -> list[Pixels]:
    """Distinct pictures of 512 x 512 pixels: parts of four photographs, at different scales."""
    from skimage import data

    rng = np.random.default_rng(SEED)
    originals = [np.asarray(getattr(data, name)())[..., :3] for name in ("astronaut", "coffee", "chelsea", "rocket")]
    pictures = []
    for number in range(count):
        original = originals[number % len(originals)]
        height, width = (int(side * rng.uniform(0.6, 1.0)) for side in original.shape[:2])
        top, left = rng.integers(0, original.shape[0] - height + 1), rng.integers(0, original.shape[1] - width + 1)
        part = np.ascontiguousarray(original[top : top + height, left : left + width])
        pictures.append(np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), dtype=np.uint8))
    return pictures
