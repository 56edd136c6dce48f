"""What claims to be a pipeline of another library, and may be anything: imported or refused in words, in bounded time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.errors import RecipeInvalid
from kernels.recipe import Recipe
from service.importing.albumentations import ENTRIES as ALBUMENTATIONS
from service.importing.convert import MOST_DEPTH, MOST_ITEMS
from service.importing.kornia import ENTRIES as KORNIA
from service.importing.pipeline import import_pipeline
from service.importing.torchvision import ENTRIES as TORCHVISION

HOSTILE: list[tuple[Any, str]] = [
    (17, ""),
    ("text and no pipeline" * 1000, ""),
    ({}, ""),
    ([3], "/0"),
    ([{"RandomRotation": 3}], "/0/RandomRotation"),
    ([{"RandomRotation": {"degrees": "far"}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {"degrees": float("nan")}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {"degrees": float("inf")}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {"degrees": 10**400}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {"degrees": [1, 2, 3]}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {"degrees": [2, 1]}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {"degrees": True}}], "/0/RandomRotation/degrees"),
    ([{"RandomRotation": {}}], ""),
    ([{"RandomInvert": {"p": 1.5}}], "/0/RandomInvert/p"),
    ([{"RandomInvert": {"p": "0.5"}}], "/0/RandomInvert/p"),
    ([{"RandomInvert": {str(n): n for n in range(100)}}], "/0/RandomInvert"),
    ([{"name": "RandomInvert", "argument": {}}], "/0/argument"),
    ([{"Compose": {}}], "/0/Compose"),
    ([{"Compose": {"transforms": {}}}], "/0/Compose/transforms"),
    ([{"RandomChoice": {"transforms": ["RandomInvert"], "p": [1, 2]}}], "/0/RandomChoice/weights"),
    (["RandomInvert"] * (MOST_ITEMS + 1), ""),
    ([{"Compose": {"transforms": ["RandomInvert"] * 200}}] * 2, "/1"),
    (["RandomInvert"] * 65, ""),
    ([{"arguments": {"processing": "rotate", "angle": 0}}], "/0/arguments/angle"),
    ([{"arguments": {"processing": "sparkle"}}], "/0/arguments/processing"),
    ({"transform": []}, "/transform"),
    ({"transform": {"__class_fullname__": 3}}, "/transform/__class_fullname__"),
    ({"transform": {"__class_fullname__": "Compose"}}, "/transform/transforms"),
    ({"transform": {"__class_fullname__": "Compose", "transforms": [], "bbox_params": 3}}, "/transform/bbox_params"),
]


@pytest.mark.parametrize(("document", "pointer"), HOSTILE, ids=lambda value: str(value)[:40])
def test_what_is_no_pipeline_is_refused(document: Any, pointer: str) -> None:
    form = "torchvision" if isinstance(document, list) and "arguments" not in str(document)[:14] else None
    started_s = time.process_time()
    with pytest.raises(RecipeInvalid) as caught:
        import_pipeline(document, form)
    assert time.process_time() - started_s < 2.0
    assert (caught.value.pointer or "").startswith(pointer)
    assert len(caught.value.message) < 400


PAIR = {"downscale": [1], "upscale": {"a": 1}}


def test_odd_values_of_arguments_that_make_a_difference_are_said() -> None:
    for document, form in (
        ([{"ColorJitter": {"brightness": 0.1, "hue": 0.1, "order": 3}}], "kornia"),
        ([{"RandomTranslate": {"translate_x": 0.1, "padding_mode": [["zeros"]]}}], "kornia"),
        ({"transform": {"__class_fullname__": "Rotate", "border_mode": {"a": 1}}}, "albumentations"),
        ({"transform": {"__class_fullname__": "Downscale", "interpolation_pair": PAIR}}, "albumentations"),
    ):
        [item] = import_pipeline(document, form).items  # type: ignore[arg-type]
        assert item.verdict == "different"
    with pytest.raises(RecipeInvalid, match="names of arguments"):
        import_pipeline([{"RandomInvert": {3: 4}}], "torchvision")


def test_deep_nesting_is_refused() -> None:
    document: Any = "RandomInvert"
    for _ in range(MOST_DEPTH):
        document = {"Compose": {"transforms": [document]}}
    with pytest.raises(RecipeInvalid, match="nested more than"):
        import_pipeline([document], "torchvision")


def test_a_document_of_several_libraries_must_be_named() -> None:
    with pytest.raises(RecipeInvalid, match="say which"):
        import_pipeline(["RandomInvert"])
    assert import_pipeline(["RandomInvert", {"RandomHue": {"hue": [0.0, 0.1]}}]).form == "kornia"


NAMES = st.sampled_from(sorted({*TORCHVISION, *KORNIA}))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    PLAIN, lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=6), inside, max_size=3)
)
FIELDS = st.sampled_from(
    [
        "p",
        "size",
        "degrees",
        "scale",
        "ratio",
        "transforms",
        "args",
        "fill",
        "sigma",
        "brightness",
        "random_apply",
        "padding",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    calls=st.lists(st.tuples(NAMES, st.dictionaries(FIELDS, VALUES, max_size=4)), max_size=4),
    form=st.sampled_from(["torchvision", "kornia"]),
)
def test_whatever_comes_is_imported_or_refused(calls: list[tuple[str, dict[str, Any]]], form: Any) -> None:
    try:
        imported = import_pipeline([{name: arguments} for name, arguments in calls], form)
    except RecipeInvalid:
        return
    assert Recipe.parse(imported.document).digest == imported.recipe.digest
    assert len(imported.items) >= len(calls)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(ALBUMENTATIONS)),
    arguments=st.dictionaries(st.text(max_size=8) | FIELDS, VALUES, max_size=4),
)
def test_whatever_albumentations_may_write(name: str, arguments: dict[str, Any]) -> None:
    try:
        imported = import_pipeline({"transform": {**arguments, "__class_fullname__": name}})
    except RecipeInvalid:
        return
    assert Recipe.parse(imported.document).digest == imported.recipe.digest
