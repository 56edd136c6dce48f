"""What verification tests share: seeds, and plans made and run on the CPU. `make test-long` runs many more of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kernels.plan import Plan, plan
from kernels.recipe import Recipe
from kernels.run import run
from kernels.tensors import Size
from tests.helpers.pictures import CPU, Pixels, make_picture
from tests.helpers.recipes import Step

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


def seeds(few: int, many: int) -> list[Any]:
    """`few` seeds for every run of the tests, and the others up to `many` for the long one."""
    return [*range(few), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(few, many))]


def planned(steps: Sequence[Step], pixels: Pixels, profile: str = "fused", key: int = 0) -> Plan:
    return plan(Recipe.parse({"steps": list(steps), "profile": profile}), 5, key, 0, Size(*pixels.shape[:2]))


def ran(made: Plan, pixels: Pixels) -> Pixels:
    result: Pixels = run([made], [make_picture(pixels)], CPU)[0].pixels.numpy()
    return result
