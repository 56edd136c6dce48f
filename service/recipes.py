"""Recipes as requests carry them: the effective recipe, and what it will cost. Both are remembered, for speed only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from kernels.equivalents import EQUIVALENTS
from kernels.errors import RecipeInvalid, WorkTooLarge
from kernels.op import Mix, Places, arguments
from kernels.ops import OPS
from kernels.params import Params, drawn_fields
from kernels.partners import least_partners, most_partners
from kernels.plan import Variant, plans
from kernels.recipe import Recipe, preorder
from kernels.tensors import Size
from kernels.tree import tree
from service.errors import ValidationError
from service.remembered import Remembered

_RECIPES = 256
_SIZES = 8192
_DRAWS = 32
"""What the mean of sizes that are drawn is taken of."""


class Company(NamedTuple):
    """Pixels of the smallest of the pictures that are sent together, and on average."""

    least: int
    mean: int


class RecipeBook:
    """Effective recipes and their costs. Programs send the same recipe with every picture, so it is checked once."""

    def __init__(self, max_variants: int, max_output_pixels: int) -> None:
        self._max_variants, self._max_output_pixels = max_variants, max_output_pixels
        self._recipes: Remembered[Recipe] = Remembered(_RECIPES)
        self._pixels: Remembered[int] = Remembered(_SIZES)
        self._costs: Remembered[int] = Remembered(_SIZES)

    def effective(self, recipe: Any, output: Any) -> Recipe:
        """The recipe of a document, its `output` replaced where the request has one. RecipeInvalid, UnknownOp."""
        key = json.dumps([recipe, output])
        if (known := self._recipes.get(key)) is not None:
            return known
        made = Recipe.parse(recipe, "/recipe")
        if output is not None:
            made = made.with_output(Recipe.parse({"output": output}).output)
        return self._recipes.put(key, made)

    def check_variants(self, variants: int) -> None:
        """Nothing, or ValidationError where more results of one picture are asked for than may be."""
        if variants > self._max_variants:
            raise ValidationError(f"at most {self._max_variants} variants of a picture", "/variants", self._max_variants)

    def output_pixels(self, recipe: Recipe, size: Size) -> int:
        """Pixels of one result of a picture: where chances, branches or ranges decide them, the mean of some draws.

        RecipeInvalid where the recipe does not fit a picture of this size, whatever is drawn.
        """
        if not any(_resizes(step) or _reaches(recipe, step) for step in preorder(recipe.steps)):
            return size.pixels
        key = (recipe.digest, size)
        if (known := self._pixels.get(key)) is not None:
            return known
        return self._pixels.put(key, _expected(recipe, size))

    def cost_pixels(self, recipe: Recipe, size: Size, variants: int, company: Company | None = None) -> int:
        """Estimated work of one picture: its pixels, those of its results and those of the partners that they take.

        Results count as `output_pixels` expects them, partners as if every branch that mixes were taken. company: the
        pictures it may take; without, they count as large as it is. WorkTooLarge where results as expected, with the
        fewest and smallest partners, are too much; RecipeInvalid.
        """
        key = (recipe.digest, size, variants, company)
        if (known := self._costs.get(key)) is not None:
            return known
        least, mean = company or Company(size.pixels, size.pixels)
        made = self.output_pixels(recipe, size) * variants
        certain = made + least_partners(recipe) * variants * least
        if certain > self._max_output_pixels:
            raise WorkTooLarge(certain, self._max_output_pixels)
        return self._costs.put(key, size.pixels + made + most_partners(recipe) * variants * mean)


def _resizes(params: Params) -> bool:
    """Whether a step may leave another size than it found."""
    return isinstance(kind := OPS[params.op].kind, Places | Mix) and kind.canvas is not None


def _reaches(recipe: Recipe, params: Params) -> bool:
    """Whether a step may ask for more of what lies outside the picture than there is."""
    if recipe.profile != "kornia" or params.op not in EQUIVALENTS:
        return False
    return EQUIVALENTS[params.op].reach is not None


def _varies(recipe: Recipe) -> bool:
    """Whether drawn numbers decide the size of results, or whether there is one: by a chance, a branch, or a range."""
    if not tree(recipe).is_flat:
        return True
    deciding = (step for step in recipe.steps if _resizes(step) or _reaches(recipe, step))
    return any(step.chance < 1.0 or _drawn(recipe, step) for step in deciding)


def _drawn(recipe: Recipe, params: Params) -> bool:
    open_ended = {name for name, _ in drawn_fields(type(params)) if len(set(getattr(params, name))) > 1}
    kind = OPS[params.op].kind
    if isinstance(kind, Places | Mix) and kind.canvas is not None:
        return bool(open_ended.intersection(arguments(kind.canvas)))
    return bool(open_ended) and _reaches(recipe, params)


def _expected(recipe: Recipe, size: Size) -> int:
    draws = [Variant(key, 0, size) for key in range(_DRAWS if _varies(recipe) else 1)]
    try:
        made = [one.size_out for one in plans(recipe, 0, draws)]
    except RecipeInvalid:
        made = _fitting(recipe, draws)
    return round(sum(one.pixels for one in made) / len(made))


def _fitting(recipe: Recipe, draws: Sequence[Variant]) -> list[Size]:
    """The sizes that some draws lead to, without those that do not fit; RecipeInvalid if none does."""
    made, last = [], None
    for draw in draws:
        try:
            made.append(plans(recipe, 0, [draw])[0].size_out)
        except RecipeInvalid as error:
            last = error
    if not made:
        assert last is not None, "no draw, no error"
        raise RecipeInvalid(last.reason, f"/recipe{last.pointer}") from None
    return made
