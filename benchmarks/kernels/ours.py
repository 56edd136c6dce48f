"""The kernels of this project as the benchmarks call them: planning included, one picture on the thread that asks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.kernels.pictures import SEED, Pixels
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import prepared, run
from kernels.tensors import Picture, Size

CPU = torch.device("cpu")


def planned(recipe: Recipe, photos: Sequence[Pixels]) -> list[Plan]:
    """A plan for each picture, prepared for the CPU."""
    variants = [Variant(key, 0, Size(*photo.shape[:2])) for key, photo in enumerate(photos)]
    return prepared(plans(recipe, SEED, variants), CPU)


def augmented(plan: Plan, pixels: Pixels) -> Pixels:
    """The picture after its plan."""
    result: Pixels = run([plan], [Picture(torch.from_numpy(pixels))], CPU)[0].pixels.numpy()
    return result
