"""Draws docs/images/labels.jpg: a picture with its labels, and what becomes of them in five variants.

python docs/labels_picture.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from kernels import augment
from service.catalogue.picture import sample

STEPS = [
    {"op": "random_resized_crop", "size": [240, 360], "scale": [0.35, 0.9], "ratio": 1.5},
    {"op": "hflip", "chance": 0.5},
    {"op": "rotate", "degrees": [-25, 25], "border": "reflect"},
    {"op": "perspective", "distortion": [0.0, 0.3], "border": "reflect"},
    {"op": "elastic", "alpha": [0.02, 0.05], "sigma": [0.1, 0.15], "chance": 0.5},
]
LABELS: dict[str, Any] = {
    "boxes": {"values": [[105, 66, 168, 118], [234, 86, 276, 132]], "classes": ["eye", "eye"]},
    "polygons": [
        {"points": [[186, 182], [232, 184], [222, 200], [208, 212], [196, 200]], "class": "nose"},
        {"points": [[96, 52], [288, 78], [281, 140], [88, 116]], "class": "an oriented box"},
    ],
    "keypoints": [{"points": [[140, 92, 2], [257, 107, 2], [210, 196, 2]], "class": "eyes and nose"}],
}
GAP = 8


def drawn(pixels: Any, labels: dict[str, Any]) -> Image.Image:
    """The picture with boxes in yellow, outlines in blue and points in red."""
    image = Image.fromarray(np.asarray(pixels))
    pen = ImageDraw.Draw(image)
    for box in labels.get("boxes", {}).get("values", []):
        pen.rectangle(box, outline=(255, 220, 0), width=3)
    for polygon in labels.get("polygons", []):
        points = [tuple(point) for point in polygon["points"]]
        pen.line([*points, points[0], points[1]], fill=(40, 150, 255), width=3, joint="curve")
    for found in labels.get("keypoints", []):
        for x, y, seen in found["points"]:
            if seen:
                pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(255, 40, 40), outline=(255, 255, 255))
    return image


def main() -> None:
    """Six pictures in two rows: the original first."""
    pixels = np.asarray(sample())
    made = augment([pixels], {"steps": STEPS}, seed=5, variants=5, labels=[LABELS])
    tiles = [drawn(pixels, LABELS)]
    for one in made:
        assert one.labels is not None, one.error
        tiles.append(drawn(one.image, one.labels.document()))
    width, height = tiles[0].size
    sheet = Image.new("RGB", (3 * width + 2 * GAP, 2 * height + GAP), (255, 255, 255))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, ((place % 3) * (width + GAP), (place // 3) * (height + GAP)))
    sheet.save(Path(__file__).parent / "images" / "labels.jpg", quality=80, optimize=True)


if __name__ == "__main__":
    main()
