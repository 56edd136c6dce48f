"""Ready recipes: right, explained, distinct, and true to what their comments say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from kernels import augment
from kernels.corruptions import CORRUPTIONS, corrupted
from kernels.ops import OPS
from kernels.recipe import Recipe, preorder
from service.catalogue.ready import CORRUPTED, READY
from service.catalogue.written import written, yaml_text
from service.named_recipes import NAME
from tests.helpers.pictures import make_photo

DOCS = Path(__file__).parents[3] / "docs" / "recipes"
MOVING = {name for name, op in OPS.items() if op.moves_labels}


def steps(name: str) -> set[str]:
    return {step.op for step in preorder(READY[name].recipe.steps)}


@pytest.mark.parametrize("name", READY)
def test_it_is_a_recipe_with_words(name: str) -> None:
    ready = READY[name]
    assert NAME.fullmatch(name)
    assert 20 < len(ready.summary) < 100
    assert len(ready.use) > 80
    assert ready.summary.endswith(".")
    assert Recipe.parse(yaml.safe_load(yaml_text(written(ready.recipe)))).digest == ready.recipe.digest


@pytest.mark.parametrize("name", READY)
def test_it_has_a_small_page(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    assert READY[name].summary in page, "run `python docs/build.py`"
    assert (DOCS / f"{name}.webp").stat().st_size <= 60 * 1024
    assert f"({name}.md)" in (DOCS / "README.md").read_text()


@pytest.mark.parametrize("name", READY)
def test_it_changes_a_picture_each_time(name: str) -> None:
    made = augment([make_photo("astronaut", 120, 160)], READY[name].recipe, seed=3, variants=2)
    assert all(one.error is None for one in made)
    first, second = (one.image.numpy() for one in made if one.image is not None)
    assert first.shape == second.shape
    assert np.abs(first.astype(int) - second).mean() > 0.5


def test_what_the_comments_promise() -> None:
    assert not MOVING & steps("robustness")
    for name in ("document", "medical-safe"):
        assert not {"hflip", "vflip", "cutout", "random_erasing", "coarse_dropout", "grid_mask"} & steps(name)
    assert not {"color_jitter", "hue", "hsv_shift", "planckian_jitter", "elastic"} & steps("medical-safe")
    assert not {"perspective", "elastic"} & steps("aerial")
    assert {READY[name].recipe.output.format for name in ("segmentation", "medical-safe")} == {"png"}


def test_medical_safe_keeps_grey_pictures_grey() -> None:
    grey = np.repeat(make_photo("astronaut", 60, 80)[:, :, :1], 3, axis=2)
    quiet = [step for step in READY["medical-safe"].recipe.steps if step.op != "gaussian_noise"]
    made = augment([grey], Recipe(steps=tuple(quiet)), seed=1, variants=4)
    for one in made:
        assert one.image is not None
        assert (one.image == one.image[:, :, :1]).all()


def test_robustness_applies_about_two_of_them() -> None:
    expected = sum(step.chance for step in READY["robustness"].recipe.steps)
    assert math.isclose(expected, 2.0, abs_tol=0.4)


def test_every_corruption_is_a_recipe_by_name() -> None:
    assert len(CORRUPTED) == 5 * len(CORRUPTIONS)
    for name, one in CORRUPTED.items():
        _, corruption, severity = name.split("-")
        assert one.recipe == corrupted(corruption, int(severity))
        assert one.summary == f"{corruption} as in ImageNet-C, severity {severity} of 5."


@pytest.mark.parametrize("ends", [[-0.0, -0.0], [0.0, -0.0], [0, 0]])
def test_a_written_recipe_keeps_its_digest_down_to_the_sign_of_nothing(ends: list[float]) -> None:
    recipe = Recipe.parse({"steps": [{"op": "rotate", "degrees": ends}]})
    assert Recipe.parse(written(recipe)).digest == recipe.digest
    assert Recipe.parse(yaml.safe_load(yaml_text(written(recipe)))).digest == recipe.digest
