"""Classes T2 and T8: each operation alone against Kornia 0.9.0, with the same draws, on photographs and on noise.

Profile kornia is Kornia's own functions for what moves pixels and for what `EQUIVALENTS` has, so both profiles of one plan
are compared; for other operations it is the torch reference, and so is what they are compared with. The rule: within a
level on 99.5 % of the values, 0.02 levels on average; hue too, though two levels would be allowed it. `LOOSER` has what
cannot keep it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import kornia
import numpy as np
import pytest
import torch

from kernels.chain import numbers
from kernels.equivalents import EQUIVALENTS
from kernels.op import Pixels as OnPixels
from kernels.ops import OPS
from kernels.plan import Plan, plan
from kernels.readings import smoothing
from kernels.recipe import Recipe
from kernels.run import run
from kernels.stages import Chain, stages
from kernels.tensors import Picture, Size
from tests.helpers.pictures import CPU, Pixels, Steps, make_image, make_photo
from tests.helpers.recipes import ALONE, any_step

PICTURES = {"photo": make_photo("astronaut", 201, 331), "cat": make_photo("chelsea", 97, 120), "noise": make_image(67, 97)}
LARGE = make_photo("astronaut", 280, 300)
"""Larger than twice what any window reaches."""
SHAPES = [(1, 1), (1, 41), (41, 1), (2, 3), (17, 16)]
DRAWS, MOST_DRAWS = 4, 40


@dataclass(frozen=True)
class Rule:
    """How near two results must be."""

    share: float = 0.995
    """Share of the values that must be within `levels`."""
    levels: int = 1
    mean: float = 0.02
    """Mean distance in levels."""


# sums of few whole levels fall half way between two, and are rounded to either side
TIES = Rule(mean=0.1)
LOOSER = {"box_blur": TIES, "scale": TIES, "translate": TIES, "zoom": TIES}


def both(step: dict[str, object], pixels: Pixels, key: int) -> tuple[Plan, Pixels, Pixels]:
    """One step by the fused profile and by Kornia, and the plan."""
    recipes = [Recipe.parse({"steps": [step], "profile": profile}) for profile in ("fused", "kornia")]
    plans = [plan(recipe, 11, key, 0, Size(*pixels.shape[:2])) for recipe in recipes]
    fused, kornia = (result.pixels.numpy() for result in run(plans, [Picture(torch.from_numpy(pixels))] * 2, CPU))
    return plans[0], fused, kornia


def inner(pixels: Pixels, planned: Plan) -> Pixels:
    """Without the frame in which Kornia's mirror image, which leaves out the edge pixel, is another one."""
    step = planned.steps[0]
    equivalent = EQUIVALENTS.get(step.op.name)
    if equivalent is None or equivalent.reach is None:
        return pixels
    reach = equivalent.reach(**step.fields)
    return pixels[reach : pixels.shape[0] - reach, reach : pixels.shape[1] - reach]


def shrinks(planned: Plan) -> bool:
    """Whether the fused profile smooths first, which Kornia does not."""
    moved = [link for stage in stages(planned) if isinstance(stage, Chain) for link in stage.links]
    return bool(moved) and smoothing(numbers(moved))[:4] != (0.0, 0.0, 1, 1)


def compare(name: str, pixels: Pixels, step: dict[str, object], key: int) -> bool:
    """Whether values were compared: none are where the fused profile smooths first, only shapes."""
    planned, fused, kornia = both(step, pixels, key)
    assert fused.shape == kornia.shape
    if shrinks(planned):
        return False
    off = np.abs(inner(fused, planned).astype(int) - inner(kornia, planned))
    assert off.size
    rule = LOOSER.get(name, Rule())
    found = f"{step}, key {key}: at most {off.max()} levels, {np.mean(off):.4f} on average"
    assert np.mean(off <= rule.levels) >= rule.share, found
    assert np.mean(off) <= rule.mean, found
    return True


@pytest.mark.parametrize("name", [op.name for op in ALONE])
def test_examples_agree_with_kornia(name: str) -> None:
    """On every picture; a third of the comparisons at least is of values."""
    examples = OPS[name].examples
    compared = [
        compare(name, pixels, {"op": name, **example.model_dump(mode="json")}, key)
        for pixels in PICTURES.values()
        for key, example in enumerate(examples)
    ]
    assert 3 * sum(compared) >= len(compared), f"{name}: {compared}"


@pytest.mark.parametrize("name", [op.name for op in ALONE])
def test_any_draws_agree_with_kornia(name: str) -> None:
    """Two draws of values at least, among four or as many as it takes."""
    reaches = name in EQUIVALENTS and EQUIVALENTS[name].reach is not None
    compared = 0
    for key in range(MOST_DRAWS):
        rng = random.Random(f"{name} {key}")
        pixels = LARGE if reaches else PICTURES[rng.choice(list(PICTURES))]
        compared += compare(name, pixels, any_step(rng, OPS[name], gated=False), key)
        if key >= DRAWS - 1 and compared >= 2:
            return
    pytest.fail(f"{name}: {compared} of {MOST_DRAWS} draws do not shrink the picture")


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if isinstance(op.kind, OnPixels) or name in EQUIVALENTS])
def test_smallest_pictures_agree_with_kornia(name: str) -> None:
    for height, width in SHAPES:
        example = OPS[name].examples[0].model_dump(mode="json")
        reach = EQUIVALENTS[name].reach if name in EQUIVALENTS else None
        if reach is None:
            assert compare(name, make_image(height, width), {"op": name, **example}, 0)


@pytest.mark.parametrize("picture", PICTURES)
def test_auto_contrast_that_loses_nothing_is_kornias(picture: str) -> None:
    pixels = PICTURES[picture]
    _, fused, _ = both({"op": "auto_contrast", "cutoff": 0}, pixels, 0)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255.0
    expected = (kornia.enhance.normalize_min_max(planes)[0].permute(1, 2, 0) * 255.0).round().numpy()
    assert np.mean(np.abs(fused - expected) <= 1.0) >= 0.995


# ------------------------------------------------------------------------------------------------ T8 at the borders
WINDOWS: Steps = [
    {"op": "gaussian_blur", "sigma": 1.5},
    {"op": "gaussian_blur", "sigma": 4.0},
    {"op": "box_blur", "size": 7},
    {"op": "box_blur", "size": 4},
    {"op": "percentile_filter", "percentile": 50, "size": 3},
    {"op": "percentile_filter", "percentile": 50, "size": 5},
]


@pytest.mark.parametrize("step", WINDOWS, ids=lambda step: f"{step['op']}-{step.get('size', step.get('sigma'))}")
@pytest.mark.parametrize("picture", PICTURES)
def test_windows_agree_with_kornia_up_to_the_border_of_one_mirror(step: dict[str, object], picture: str) -> None:
    """Given the mirror image that holds the edge pixel twice, Kornia's windows are ours in the whole picture."""
    pixels = PICTURES[picture]
    around = ((20, 20), (20, 20), (0, 0))
    _, fused, _ = both(step, pixels, 0)
    _, _, kornia = both(step, np.ascontiguousarray(np.pad(pixels, around, mode="symmetric")), 0)
    assert np.abs(fused.astype(int) - kornia[20:-20, 20:-20]).max() <= 1
