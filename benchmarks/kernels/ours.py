"""The kernels of this project as the benchmarks call them: planning included, one picture on the thread that asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import torch

from benchmarks.kernels.pictures import SEED, Pixels
from kernels.labels import Labels, write_mask
from kernels.ops import OPS
from kernels.partners import Partner, Partners, Pool, most_partners
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import prepared, run
from kernels.tensors import Picture, Size

CPU = torch.device("cpu")
_OBJECT = ((0.2, 0.3), (0.6, 0.1), (0.8, 0.5), (0.5, 0.9))
"""The outline of what there is to paste in each picture, in fractions of its width and height."""


def planned(recipe: Recipe, photos: Sequence[Pixels], numbers: Sequence[int] | None = None) -> list[Plan]:
    """A plan for each picture, or for those of these numbers, prepared for the CPU.

    Those that mix are mixed with each other, and steps that look for an object find one.
    """
    pool = Pool(range(len(photos))) if most_partners(recipe) else None
    looks = any(OPS[step.op].aim for step in recipe.steps)
    sizes = {key: Size(*photos[key].shape[:2]) for key in (range(len(photos)) if numbers is None else numbers)}
    wanted = [Variant(key, 0, size, _labels(size) if looks else None) for key, size in sizes.items()]
    return prepared(plans(recipe, SEED, wanted, pool), CPU)


def augmented(plan: Plan, pixels: Pixels, partners: Partners | None = None) -> Pixels:
    """The picture after its plan. partners: `company`, for recipes that mix."""
    result: Pixels = run([plan], [Picture(pixels)], CPU, [partners])[0].levels
    return result


def company(photos: Sequence[Pixels]) -> Partners:
    """The pictures as partners of each other, each with one labelled object: its outline and its class mask."""
    pictures = [Picture(torch.from_numpy(photo), _labels(Size(*photo.shape[:2]))) for photo in photos]

    def found(partner: Partner) -> Picture:
        return pictures[partner.key]

    return found


def works(recipe: Recipe, photos: Sequence[Pixels]) -> Callable[[], list[Callable[[], Pixels]]]:
    """works()() plans for all pictures and gives for each what makes its result, to be called on any thread."""
    partners = company(photos) if most_partners(recipe) else None
    return lambda: [
        partial(augmented, plan, photo, partners) for plan, photo in zip(planned(recipe, photos), photos, strict=True)
    ]


@cache
def _labels(size: Size) -> Labels:
    """What comes with a picture, so no part of the work."""
    mask = np.zeros(size, np.uint8)
    mask[size.height // 4 : size.height // 2, size.width // 4 : size.width // 2] = 1
    outline = [(across * size.width, down * size.height) for across, down in _OBJECT]
    return Labels.parse({"polygons": [{"points": outline, "class": "object"}], "mask": write_mask(mask)}, size)
