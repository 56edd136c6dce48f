"""Pictures for tests: noise, photographs, shapes; and the shortest way to run a recipe on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.labels import Labels, write_mask
from kernels.partners import Partner, Pool
from kernels.plan import Plan, plan
from kernels.recipe import Recipe
from kernels.run import run
from kernels.tensors import Picture, Size

CPU = torch.device("cpu")
Pixels = NDArray[np.uint8]
Steps = Sequence[Mapping[str, Any]]


def make_image(height: int = 48, width: int = 64, channels: int = 3, seed: int = 0) -> Pixels:
    """Noise: every level somewhere, no two neighbours alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@cache
def _photo(name: str) -> Pixels:
    from skimage import data

    pixels: Pixels = getattr(data, name)()
    return pixels


def make_photo(name: str = "astronaut", height: int | None = None, width: int | None = None) -> Pixels:
    """A photograph that ships inside scikit-image (astronaut, chelsea, coffee, rocket), or its upper left part."""
    return np.ascontiguousarray(_photo(name)[:height, :width, :3])


COMPANY = (1001, 1002, 1003)
"""Item keys of the pictures that are at hand as partners."""
POOL = Pool(COMPANY)


def company(partner: Partner) -> Picture:
    """Photographs of three sizes as partners, each with two objects."""
    name, height, width = (("astronaut", 90, 70), ("coffee", 40, 150), ("rocket", 33, 33))[COMPANY.index(partner.key)]
    labels = {
        "boxes": {"values": [[3, 4, 20, 25], [15, 10, 30, 30]], "classes": [f"{name} 0", f"{name} 1"]},
        "polygons": [{"points": [[3, 4], [20, 10], [8, 25]]}, {"points": [[15, 10], [30, 10], [30, 30], [15, 30]]}],
    }
    return make_picture(make_photo(name, height, width), {**labels, "mask": _mask(height, width)})


def _mask(height: int, width: int) -> str:
    """Class 1 in the second object's box, class 2 around the first one's middle, 0 elsewhere."""
    classes = np.zeros((height, width), np.uint8)
    classes[10:30, 15:30], classes[8:14, 6:12] = 1, 2
    return write_mask(classes)


def labels_of(size: Size) -> Labels:
    """Labels of a picture of any size: two objects, each with a box, an outline and points."""
    height, width = size

    def at(*places: tuple[float, float]) -> list[tuple[float, float]]:
        return [(round(x * width, 4), round(y * height, 4)) for x, y in places]

    boxes = [at((0.1, 0.2), (0.45, 0.6)), at((0.5, 0.45), (0.9, 0.95))]
    document = {
        "boxes": {"values": [[*low, *high] for low, high in boxes], "classes": ["a", "b"]},
        "polygons": [
            {"points": at((0.12, 0.22), (0.42, 0.3), (0.2, 0.58)), "class": "a"},
            {"points": at((0.55, 0.5), (0.86, 0.55), (0.82, 0.93), (0.6, 0.88)), "class": "b"},
        ],
        "keypoints": [
            {"points": [[x, y, 2] for x, y in at(*places)], "class": name}
            for name, places in (("a", ((0.2, 0.3), (0.3, 0.4))), ("b", ((0.6, 0.6), (0.8, 0.9))))
        ],
    }
    return Labels.parse(document, size)


def make_plan(
    steps: Steps,
    size: tuple[int, int],
    seed: int = 7,
    key: int | str = 0,
    variant: int = 0,
    rules: Mapping[str, Any] | None = None,
    labels: Labels | None = None,
) -> Plan:
    """A plan of one variant; steps that mix take partners of `company`."""
    recipe = Recipe.parse({"steps": list(steps), "labels": rules or {}})
    return plan(recipe, seed, key, variant, Size(*size), POOL, labels, company)


def make_picture(pixels: Pixels, labels: Mapping[str, Any] | None = None) -> Picture:
    parsed = None if labels is None else Labels.parse(labels, Size(*pixels.shape[:2]))
    return Picture(torch.from_numpy(pixels), parsed)


def made(
    pixels: Pixels,
    steps: Steps,
    seed: int = 7,
    key: int | str = 0,
    variant: int = 0,
    labels: Mapping[str, Any] | None = None,
) -> Pixels:
    """The pixels of one variant."""
    picture = make_picture(pixels, labels)
    planned = make_plan(steps, pixels.shape[:2], seed, key, variant, labels=picture.labels)
    result: Pixels = run([planned], [picture], CPU, [company])[0].pixels.numpy()
    return result


def made_labels(size: tuple[int, int], labels: Mapping[str, Any], steps: Steps, **chosen: Any) -> dict[str, Any]:
    """The labels of one variant of a black picture, as a document."""
    picture = make_picture(np.zeros((*size, 3), dtype=np.uint8), labels)
    planned = make_plan(steps, size, labels=picture.labels, **chosen)
    moved = run([planned], [picture], CPU)[0].labels
    assert moved is not None
    return moved.document()
