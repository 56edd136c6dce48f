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


def make_plan(
    steps: Steps,
    size: tuple[int, int],
    seed: int = 7,
    key: int | str = 0,
    variant: int = 0,
    rules: Mapping[str, Any] | None = None,
) -> Plan:
    """A plan of one variant; steps that mix take partners of `company`."""
    return plan(Recipe.parse({"steps": list(steps), "labels": rules or {}}), seed, key, variant, Size(*size), POOL)


def make_picture(pixels: Pixels, labels: Mapping[str, Any] | None = None) -> Picture:
    parsed = None if labels is None else Labels.parse(labels, Size(*pixels.shape[:2]))
    return Picture(torch.from_numpy(pixels), parsed)


def made(pixels: Pixels, steps: Steps, seed: int = 7, key: int | str = 0, variant: int = 0) -> Pixels:
    """The pixels of one variant."""
    planned = make_plan(steps, pixels.shape[:2], seed, key, variant)
    result: Pixels = run([planned], [make_picture(pixels)], CPU, [company])[0].pixels.numpy()
    return result


def made_labels(size: tuple[int, int], labels: Mapping[str, Any], steps: Steps, **chosen: Any) -> dict[str, Any]:
    """The labels of one variant of a black picture, as a document."""
    planned = make_plan(steps, size, **chosen)
    picture = make_picture(np.zeros((*size, 3), dtype=np.uint8), labels)
    moved = run([planned], [picture], CPU)[0].labels
    assert moved is not None
    return moved.document()
