"""Draws docs/images/labels.jpg: a picture with its labels, and what becomes of them in five variants.

python docs/labels_picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kernels import Labels, Size, augment
from service.catalogue.picture import LABELS, sample, with_labels

STEPS = [
    {"op": "random_resized_crop", "size": [240, 360], "scale": [0.35, 0.9], "ratio": 1.5},
    {"op": "hflip", "chance": 0.5},
    {"op": "rotate", "degrees": [-25, 25], "border": "reflect"},
    {"op": "perspective", "distortion": [0.0, 0.3], "border": "reflect"},
    {"op": "elastic", "alpha": [0.02, 0.05], "sigma": [0.1, 0.15], "chance": 0.5},
]
GAP = 8


def main() -> None:
    """Six pictures in two rows: the original first."""
    pixels = np.asarray(sample())
    made = augment([pixels], {"steps": STEPS}, seed=5, variants=5, labels=[LABELS])
    tiles = [with_labels(sample(), Labels.parse(LABELS, Size(*pixels.shape[:2])))]
    for one in made:
        assert one.image is not None, one.error
        assert one.labels is not None
        tiles.append(with_labels(Image.fromarray(one.image.numpy()), one.labels))
    width, height = tiles[0].size
    sheet = Image.new("RGB", (3 * width + 2 * GAP, 2 * height + GAP), (255, 255, 255))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, ((place % 3) * (width + GAP), (place // 3) * (height + GAP)))
    sheet.save(Path(__file__).parent / "images" / "labels.jpg", quality=80, optimize=True)


if __name__ == "__main__":
    main()
