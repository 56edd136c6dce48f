"""Recipes as requests carry them: the effective recipe, and what it will cost. Both are remembered, for speed only."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from typing import Any, Generic, NamedTuple, TypeVar

from kernels.errors import RecipeInvalid, WorkTooLarge
from kernels.op import Mix, Places
from kernels.ops import OPS
from kernels.partners import least_partners, most_partners
from kernels.plan import plan
from kernels.recipe import Recipe, preorder
from kernels.tensors import Size
from service.errors import ValidationError

Value = TypeVar("Value")
_RECIPES = 256
_SIZES = 8192


class Company(NamedTuple):
    """Pixels of the smallest of the pictures that are sent together, and on average."""

    least: int
    mean: int


class _Remembered(Generic[Value]):
    """The last `most` values by key, the least recently used leaving first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[object, Value] = OrderedDict()
        self._lock = threading.Lock()  # large batches are prepared in threads

    def get(self, key: object) -> Value | None:
        with self._lock:
            if (value := self._values.get(key)) is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: object, value: Value) -> Value:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)
            return value


class RecipeBook:
    """Effective recipes and their costs. Programs send the same recipe with every picture, so it is checked once."""

    def __init__(self, max_variants: int, max_output_pixels: int) -> None:
        self._max_variants, self._max_output_pixels = max_variants, max_output_pixels
        self._recipes: _Remembered[Recipe] = _Remembered(_RECIPES)
        self._sizes: _Remembered[Size] = _Remembered(_SIZES)

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

    def output_size(self, recipe: Recipe, size: Size) -> Size:
        """The size of the results of a picture, where drawn numbers do not change it; else that of one draw.

        RecipeInvalid where the recipe does not fit a picture of this size.
        """
        if not any(isinstance(kind := OPS[step.op].kind, Places | Mix) and kind.canvas for step in preorder(recipe.steps)):
            return size
        key = (recipe.digest, size)
        if (known := self._sizes.get(key)) is not None:
            return known
        return self._sizes.put(key, _planned(recipe, size))

    def cost_pixels(self, recipe: Recipe, size: Size, variants: int, company: Company | None = None) -> int:
        """Estimated work of one picture: its pixels, those of its results and those of the partners that they take.

        company: the pictures it may take; without, they count as large as it is. WorkTooLarge where even the smallest are
        too much, RecipeInvalid.
        """
        least, mean = company or Company(size.pixels, size.pixels)
        made = self.output_size(recipe, size).pixels * variants
        certain = made + least_partners(recipe) * variants * least
        if certain > self._max_output_pixels:
            raise WorkTooLarge(certain, self._max_output_pixels)
        return size.pixels + made + most_partners(recipe) * variants * mean


def _planned(recipe: Recipe, size: Size) -> Size:
    try:
        return plan(recipe, 0, 0, 0, size).size_out
    except RecipeInvalid as error:
        raise RecipeInvalid(error.reason, f"/recipe{error.pointer}") from None
