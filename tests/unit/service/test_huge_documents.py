"""Documents with a million wrong places: refused at the first, so that nobody waits for the others."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kernels.errors import LabelInvalid, RecipeInvalid
from kernels.labels import Labels
from kernels.recipe import Recipe
from kernels.tensors import Size
from service.accounts.wire import KeyRequest
from service.errors import ValidationError
from service.schemas import BatchImagesRequest, BatchRequest, ValidateRequest, checked

MANY = 1_000_000
SOON_S = 2.0
"""All take 0.3 s at most; where each wrong place becomes an error, 2.7 to 20 s."""
NAMES = {f"field {number}": 1 for number in range(MANY)}


def refused(document: Any, error: type[ValidationError | RecipeInvalid | LabelInvalid], parse: Any) -> str:
    """The pointer of the error."""
    begun_s = time.process_time()
    with pytest.raises(error) as caught:
        parse(document)
    assert time.process_time() - begun_s < SOON_S
    assert len(caught.value.message) < 1000
    return caught.value.pointer or ""


@pytest.mark.parametrize(
    ("model", "document", "pointer"),
    [
        (BatchImagesRequest, {"recipe": "light", "images": [1] * MANY}, "/images/0"),
        (BatchImagesRequest, {"recipe": "light", "images": [{"x": 1}] * MANY}, "/images/0/x"),
        (BatchImagesRequest, {"recipe": "light", "images": [NAMES]}, "/images/0/field 0"),
        (BatchRequest, {"recipe": "light", **NAMES}, "/field 0"),
        (KeyRequest, {"name": "mine", **NAMES}, "/field 0"),
        (ValidateRequest, {"recipe": "light", "size": ["1"] * MANY}, "/size"),
    ],
    ids=["numbers", "objects", "one object", "fields", "fields of a key", "sides"],
)
def test_a_request(model: Any, document: Any, pointer: str) -> None:
    assert refused(document, ValidationError, lambda value: checked(model, value)) == pointer


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (NAMES, "/field 0"),
        ({"boxes": NAMES}, "/boxes/field 0"),
        ({"boxes": {"values": [1] * MANY}}, "/boxes/values/0"),
        ({"boxes": {"values": [["a"] * 4] * MANY}}, "/boxes/values/0/0"),
        ({"boxes": {"classes": [[]] * MANY}}, "/boxes/classes/0"),
        ({"boxes": {"classes": [1] * MANY}}, "/boxes/classes"),
        ({"polygons": [1] * MANY}, "/polygons/0"),
        ({"polygons": [NAMES]}, "/polygons/0/field 0"),
        ({"polygons": [{"points": [1] * MANY}]}, "/polygons/0/points/0"),
        ({"keypoints": [{"points": [1] * MANY}]}, "/keypoints/0/points/0"),
    ],
    ids=["fields", "of boxes", "numbers", "letters", "classes", "numbered", "polygons", "polygon", "corners", "points"],
)
def test_labels(document: Any, pointer: str) -> None:
    assert refused(document, LabelInvalid, lambda value: Labels.parse(value, Size(9, 9))) == pointer


def test_what_was_dropped_is_not_read() -> None:
    begun_s = time.process_time()
    assert Labels.parse({"dropped": [1] * MANY}, Size(9, 9)) == Labels()
    assert time.process_time() - begun_s < SOON_S


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        ({"op": "hflip", **NAMES}, "/steps/0/field 0"),
        ({"op": "rotate", "degrees": ["a"] * MANY}, "/steps/0/degrees"),
        ({"op": "one_of", "steps": [{"op": "hflip"}], "weights": ["a"] * MANY}, "/steps/0/weights"),
    ],
    ids=["fields", "ends", "weights"],
)
def test_a_recipe(step: Any, pointer: str) -> None:
    assert refused({"steps": [step]}, RecipeInvalid, Recipe.parse) == pointer
