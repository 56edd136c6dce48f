"""What a picture is expected to cost: exact where sizes are certain, a mean over branches, chances and ranges elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from kernels.errors import RecipeInvalid, WorkTooLarge
from kernels.recipe import Recipe
from kernels.tensors import Size
from service.recipes import RecipeBook

SIZE = Size(100, 200)
LARGE: dict[str, Any] = {"op": "resize", "size": [1000, 1000]}
SMALL: dict[str, Any] = {"op": "resize", "size": [10, 10]}


def expected(*steps: dict[str, Any], size: Size = SIZE) -> int:
    return RecipeBook(64, 10**9).output_pixels(Recipe.parse({"steps": list(steps)}), size)


def test_certain_sizes_are_exact() -> None:
    assert (
        expected({"op": "rotate", "chance": 0.5}, {"op": "one_of", "steps": [{"op": "hflip"}, {"op": "invert"}]}) == 20_000
    )
    assert expected({"op": "random_resized_crop", "size": [30, 40]}) == 1200
    assert expected(LARGE, SMALL) == 100


@pytest.mark.parametrize(
    "step",
    [
        {"op": "one_of", "steps": [LARGE, SMALL]},
        {"op": "some_of", "steps": [LARGE, SMALL], "n": 1},
        {"op": "sequence", "steps": [SMALL, {**LARGE, "chance": 0.5}]},
        {"op": "sometimes", "steps": [LARGE], "chance": 0.5},
        {**LARGE, "chance": 0.5},
    ],
    ids=lambda step: step["op"],
)
def test_a_branch_counts_by_how_often_it_is_taken(step: dict[str, Any]) -> None:
    assert expected(step) == pytest.approx(500_000, rel=0.4)


def test_a_range_of_sizes_counts_by_its_mean() -> None:
    drawn = expected({"op": "random_scale", "factor": [0.5, 2.0]})
    assert drawn == pytest.approx(20_000 * (2.0**3 - 0.5**3) / 3 / 1.5, rel=0.3)  # the mean of the factor's square


def test_a_recipe_is_refused_for_its_size_only_if_no_draw_fits() -> None:
    twice = {"op": "resize", "size": [16_000, 16_000]}
    assert expected({"op": "one_of", "steps": [twice, SMALL]}) == 100
    with pytest.raises(RecipeInvalid) as refused:
        expected({"op": "one_of", "steps": [twice, twice]})
    assert refused.value.pointer.startswith("/recipe/steps/0")


def test_a_window_beyond_the_picture_is_refused_where_kornia_has_to_reflect_it() -> None:
    """Only if no draw fits; whatever stands around it, and after steps that change the size too."""

    def of(*steps: dict[str, Any], profile: str = "kornia") -> int:
        return RecipeBook(64, 10**9).output_pixels(Recipe.parse({"steps": list(steps), "profile": profile}), SIZE)

    wide, narrow = ({"op": "gaussian_blur", "sigma": sigma} for sigma in (32, 1))
    for steps, pointer in [
        ([wide], "/recipe/steps/0"),
        ([{"op": "invert"}, {"op": "sequence", "steps": [narrow, wide]}], "/recipe/steps/1/steps/1"),
        ([SMALL, {"op": "box_blur", "size": 64}], "/recipe/steps/1"),
    ]:
        with pytest.raises(RecipeInvalid, match=f"^{pointer}: ") as refused:
            of(*steps)
        assert refused.value.pointer == pointer
        assert of(*steps, profile="fused")
    assert of(narrow) == of({**wide, "sigma": [1, 32]}) == of({**wide, "chance": 0.5}) == of(LARGE, wide) / 50 == 20_000


def test_the_limit_is_on_what_is_expected() -> None:
    book = RecipeBook(64, 1_000_000)
    recipe = Recipe.parse({"steps": [{"op": "one_of", "steps": [LARGE, SMALL]}]})
    once = book.cost_pixels(recipe, SIZE, 1)
    assert once == 20_000 + book.output_pixels(recipe, SIZE)
    with pytest.raises(WorkTooLarge):
        book.cost_pixels(recipe, SIZE, 4)
