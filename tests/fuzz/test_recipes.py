"""Any JSON as a recipe: it is one, or refused as `recipe_invalid` or `unknown_op` with a pointer to the place."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from kernels.errors import AugmentationError, RecipeInvalid, UnknownOp
from kernels.ops import OPS
from kernels.partners import most_partners
from kernels.plan import plan
from kernels.recipe import Recipe
from kernels.tensors import Size

NUMBERS = st.one_of(st.integers(-(2**64), 2**64), st.integers(-3, 3), st.floats(), st.floats(-2, 2))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.sampled_from(["constant", "reflect", "RGB"]))
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
PAIRS = st.lists(NUMBERS, min_size=1, max_size=3)
FIELDS = sorted({field for op in OPS.values() for field in op.params.model_fields})


@st.composite
def steps(draw: st.DrawFn, depth: int = 0) -> Any:
    """A step that is nearly right: an operation's example with one or two fields changed, added or gone."""
    op = OPS[draw(st.sampled_from(sorted(OPS)))]
    step: dict[str, Any] = json.loads(draw(st.sampled_from([example.model_dump_json() for example in op.examples])))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*op.params.model_fields, *FIELDS[:3], "op", "steps", "chance"]))
        value = draw(st.one_of(LEAVES, PAIRS, ANYTHING, st.just(...)))
        if value is ...:
            step.pop(name, None)
        else:
            step[name] = value
    if isinstance(step.get("steps"), list) and depth < 3 and draw(st.booleans()):
        step["steps"] = draw(st.lists(steps(depth + 1), max_size=3))
    return step


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A recipe, nearly."""
    made: dict[str, Any] = {"steps": draw(st.lists(steps(), max_size=4))}
    if draw(st.booleans()):
        output = st.dictionaries(st.sampled_from(["format", "quality", "alpha", "size"]), LEAVES, max_size=3)
        made[draw(st.sampled_from(["output", "profile", "labels", "seed"]))] = draw(output | ANYTHING)
    return made


def look(document: Any) -> None:
    refused: AugmentationError | None = None
    try:
        recipe = Recipe.parse(document, "/recipe")
    except AugmentationError as error:
        refused = error
    if refused is not None:
        assert isinstance(refused, RecipeInvalid | UnknownOp)
        assert refused.pointer.startswith("/recipe")
        assert len(refused.message.encode()) < 4000
        return
    assert Recipe.parse(recipe.document()).digest == recipe.digest
    if most_partners(recipe):
        return  # nothing is planned without the others of its batch
    for size in (Size(1, 1), Size(30, 47)):
        with suppress(RecipeInvalid):
            plan(recipe, 1, 2, 0, size)


@how(max_examples=150)
@given(ANYTHING)
def test_anything(document: Any) -> None:
    look(document)


@how(max_examples=300)
@given(documents())
def test_what_is_nearly_a_recipe(document: Any) -> None:
    look(document)


@pytest.mark.long
@pytest.mark.timeout(900)
@how(max_examples=5_000, derandomize=False)
@given(documents())
def test_much_that_is_nearly_a_recipe(document: Any) -> None:
    look(document)
