"""Bad parameters never reach a kernel: every field of every operation refuses them, with a pointer, soon, in few bytes."""

from __future__ import annotations

import json
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

from kernels.errors import InputError, RecipeInvalid, UnknownOp
from kernels.op import Op
from kernels.ops import OPS
from kernels.params import MAX_STEPS, Choice, Integer, Uniform, drawn_fields
from kernels.plan import plan
from kernels.recipe import Profile, Recipe
from kernels.tensors import MAX_PIXELS, MAX_SIDE, Size
from tests.helpers.recipes import required

Document = dict[str, Any]
LONG = "x" * 1_000_000
SECONDS, BYTES, MESSAGE = 1.0, 2_000_000, 1_000
"""The most that a refusal may take, and say."""


def nested(depth: int, inside: Callable[[Any], Any]) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = inside(value)
    return value


DEEP: Any = nested(50_000, lambda value: [value])
DEEP_OBJECT: Any = nested(50_000, lambda value: {"a": value})
NEVER: dict[str, Any] = {
    "nan": math.nan,
    "infinity": math.inf,
    "minus_infinity": -math.inf,
    "number_as_text": "1",
    "no_text": "",
    "true": True,
    "false": False,
    "null": None,
    "empty_list": [],
    "object": {"min": 0, "max": 1},
    "one_of_a_pair": [1],
    "five": [1, 1, 1, 1, 1],
    "pair_in_a_pair": [[0, 1], [0, 1]],
    "nan_in_a_pair": [math.nan, 1],
    "infinity_in_a_pair": [0, math.inf],
    "texts_in_a_pair": ["0", "1"],
    "booleans_in_a_pair": [True, True],
    "nulls_in_a_pair": [None, None],
    "huge": 1e308,
    "minus_huge": [-1e308, 1e308],
    "digits": 10**4000,
    "digits_in_a_pair": [-(10**5000), 10**5000],
    "bytes": b"1",
    "long_text": LONG,
    "long_names": [LONG],
    "a_million": [0.0] * 1_000_000,
    "deep": DEEP,
    "deep_in_a_pair": [DEEP, DEEP],
    "deep_object": DEEP_OBJECT,
}
"""What no field of any operation takes, but for those of `TAKEN`."""
TAKEN = {
    ("box_safe_crop", "size"): {"null"},
    ("crop_near_box", "size"): {"null"},
    "classes": {"empty_list", "one_of_a_pair", "five", "texts_in_a_pair"},
}
"""By operation and field, or by field."""


def refused(document: object, pointer: str | None = None) -> InputError:
    """The error of a recipe that is wrong; within the bounds of time, memory and length."""
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises((RecipeInvalid, UnknownOp)) as caught:
            Recipe.parse(document)
        taken, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    error = caught.value
    assert error.code in ("recipe_invalid", "unknown_op")
    assert error.pointer is not None
    if pointer is not None:
        assert error.pointer == pointer or error.pointer.startswith(f"{pointer}/")
    assert len(error.message) <= MESSAGE
    assert taken <= SECONDS
    assert peak <= BYTES
    json.dumps({"detail": error.message, "pointer": error.pointer})
    return error


def fields(op: Op) -> Iterator[str]:
    return (name for name in op.params.model_fields if name != "op")


# ------------------------------------------------------------------------------------------------ every field
@pytest.mark.parametrize("name", OPS)
def test_no_field_takes_what_no_field_can_mean(name: str) -> None:
    for field in fields(OPS[name]):
        annotation = OPS[name].params.model_fields[field].annotation
        taken = TAKEN.get((name, field), TAKEN.get(field, set()))
        for kind, value in NEVER.items():
            if kind in taken or (annotation in (bool, str) and isinstance(value, annotation)):
                continue
            refused({"steps": [{"op": "hflip"}, {**required(OPS[name]), "op": name, field: value}]}, f"/steps/1/{field}")


@pytest.mark.parametrize("name", OPS)
def test_drawn_fields_refuse_what_lies_outside_or_runs_backwards(name: str) -> None:
    for field, kind in drawn_fields(OPS[name].params):
        wrong: list[Any] = []
        match kind:
            case Uniform(low, high, _):
                wrong = [math.nextafter(low, -math.inf), math.nextafter(high, math.inf), [low, high + 1], [high, low]]
            case Integer(low, high, _):
                wrong = [low - 1, high + 1, [low, high + 1], [high, low], low + 0.5, float(low)]
            case Choice(names):
                wrong = ["", names[0].upper() + " ", [*names, "no"], [names[0]] * 101]
        for value in wrong:
            refused({"steps": [{**required(OPS[name]), "op": name, field: value}]}, f"/steps/0/{field}")


@pytest.mark.parametrize("name", OPS)
def test_static_fields_refuse_what_lies_outside(name: str) -> None:
    model = OPS[name].params
    wrong: dict[str, list[Any]] = {
        "chance": [-1e-9, 1.0000001, [0, 1]],
        "border": ["mirror", "Constant", ["constant"]],
        "fill": [[0, 0, 1.1], [-0.1, 0, 0], [0, 0], 0.5, "#ffffff"],
        "color": [[0, 0, 1.1], [-0.1, 0, 0], [0, 0], 0.5, "black"],
        "left": [-1, MAX_SIDE + 1, 1.0],
        "bottom": [-1, MAX_SIDE + 1, 1.0],
    }
    if "size" not in dict(drawn_fields(model)):
        wrong["size"] = [[0, 5], [5, -1], [MAX_SIDE + 1, 5], [5.0, 5.0], 5, [5, 5, 5], "224x224"]
    for field in wrong.keys() & model.model_fields.keys() - dict(drawn_fields(model)).keys():
        for value in wrong[field]:
            refused({"steps": [{**required(OPS[name]), "op": name, field: value}]}, f"/steps/0/{field}")


@pytest.mark.parametrize("name", OPS)
def test_unknown_fields_are_named(name: str) -> None:
    step = {**required(OPS[name]), "op": name}
    assert refused({"steps": [{**step, "Chance": 1}]}).pointer == "/steps/0/Chance"
    assert refused({"steps": [{**step, "a/b~c": 1}]}).pointer == "/steps/0/a~1b~0c"
    assert refused({"steps": [{**step, LONG: 1}]}).pointer == f"/steps/0/{LONG[:80]}"


# ------------------------------------------------------------------------------------------------ the whole document
DOCUMENTS: dict[str, tuple[object, str]] = {
    "ten_thousand_steps": ({"steps": [{"op": "hflip"}] * 10_000}, "/steps"),
    "ten_thousand_bad_steps": ({"steps": [{"op": "none"}] * 10_000}, "/steps"),
    "one_step_too_many": ({"steps": [{"op": "hflip"}] * (MAX_STEPS + 1)}, "/steps"),
    "steps_as_object": ({"steps": {"op": "hflip"}}, "/steps"),
    "steps_as_text": ({"steps": "hflip"}, "/steps"),
    "steps_of_text": ({"steps": ["hflip"]}, "/steps/0"),
    "deep_steps": ({"steps": DEEP}, "/steps/0"),
    "deep_step": ({"steps": [DEEP]}, "/steps/0"),
    "deep_op": ({"steps": [{"op": DEEP}]}, "/steps/0/op"),
    "no_op": ({"steps": [{}]}, "/steps/0/op"),
    "long_op": ({"steps": [{"op": LONG}]}, "/steps/0/op"),
    "a_hundred_thousand_fields": ({"steps": [{"op": "hflip", **{f"f{n}": n for n in range(100_000)}}]}, "/steps/0/f0"),
    "numbered_field": ({"steps": [{"op": "hflip", 1: 2}]}, "/steps/0/1"),
    "null_field": ({"steps": [{"op": "hflip", None: 2}]}, "/steps/0/None"),
    "deep_output": ({"output": DEEP_OBJECT}, "/output/a"),
    "output_as_list": ({"output": []}, "/output"),
    "quality_as_text": ({"output": {"quality": "90"}}, "/output/quality"),
    "quality_as_boolean": ({"output": {"quality": True}}, "/output/quality"),
    "quality_nan": ({"output": {"quality": math.nan}}, "/output/quality"),
    "quality_beyond": ({"output": {"quality": 101}}, "/output/quality"),
    "deep_format": ({"output": {"format": DEEP}}, "/output/format"),
    "deep_profile": ({"profile": DEEP}, "/profile"),
    "long_name": ({LONG: 1}, f"/{LONG[:80]}"),
    "deep_document": (DEEP, ""),
    "number": (7, ""),
    "null": (None, ""),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_that_are_no_recipes_are_refused(case: str) -> None:
    document, pointer = DOCUMENTS[case]
    assert refused(document).pointer == pointer


# ------------------------------------------------------------------------------------------------ when it is planned
GROWING = {
    "pads": [{"op": "pad", "left": 300, "top": 300, "right": 300, "bottom": 300}] * MAX_STEPS,
    "one_side": [{"op": "pad", "left": MAX_SIDE, "top": 0, "right": 0, "bottom": 0}],
    "resize": [{"op": "hflip"}, {"op": "resize", "size": [MAX_SIDE, MAX_SIDE]}],
    "crop": [{"op": "random_crop", "size": [MAX_SIDE, MAX_PIXELS // MAX_SIDE + 1]}],
    "resized_crop": [{"op": "random_resized_crop", "size": [8000, 8000]}],
    "center_crop": [{"op": "zoom", "factor": 20}, {"op": "center_crop", "size": [MAX_SIDE, 4000]}],
}


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("case", GROWING)
def test_canvases_that_grow_beyond_the_limits_are_refused(case: str, profile: str) -> None:
    recipe = Recipe.parse({"steps": GROWING[case], "profile": profile})
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(RecipeInvalid, match=f"{MAX_SIDE}") as caught:
            plan(recipe, 1, 2, 3, Size(700, 900))
        taken, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.pointer is not None
    assert caught.value.pointer.startswith("/steps/")
    assert taken <= SECONDS
    assert peak <= BYTES


@pytest.mark.parametrize("name", OPS)
def test_the_ends_of_every_range_can_be_planned(name: str) -> None:
    """So that no draw between them can fail: on the smallest pictures, and on the longest."""
    for place in (0, -1):
        ends = {
            field: kind.names[place] if isinstance(kind, Choice) else (kind.minimum, kind.maximum)[place]
            for field, kind in drawn_fields(OPS[name].params)
        }
        recipe = Recipe.parse({"steps": [{**required(OPS[name]), "op": name, **ends}]})
        for size in ((1, 1), (1, MAX_SIDE - 40), (MAX_SIDE - 40, 1)):
            assert plan(recipe, 0, 0, 0, Size(*size)).draws[0]["applied"]
