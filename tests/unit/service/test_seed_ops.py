"""The seed's 20 operations through our kernels: each means exactly what the seed means by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from kernels import augment
from kernels.tensors import Size
from service.errors import ValidationError
from service.seed_ops import OPERATIONS, OneOf, Whole, recipe, schema
from tests.helpers.pictures import make_image, make_photo
from tests.helpers.references_seed import (
    FIXED,
    REFERENCES,
    Arguments,
    Pixels,
    assert_even,
    assert_near,
    assert_noise,
    assert_rotated,
    cut_square,
    expected,
    zoomed_place,
)

RANDOM = {"rotate", "zoom", "cutout", "rainbow_noise", "salt_noise", "pepper_noise"}


def made(pixels: Pixels, arguments: Arguments, seed: int = 1, variants: int = 1) -> list[Pixels]:
    steps = recipe({"arguments": dict(arguments)}, Size(*pixels.shape[:2]))
    torch.set_num_threads(1)
    outputs = augment([pixels], steps, seed=seed, variants=variants)
    assert all(output.error is None for output in outputs)
    return [output.image.numpy() for output in outputs if output.image is not None]


def flat(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), (40, 90, 200), np.uint8)


def test_the_20_operations() -> None:
    assert len(OPERATIONS) == 20
    assert set(REFERENCES) | RANDOM == set(OPERATIONS)


@pytest.mark.parametrize("arguments", FIXED, ids=lambda arguments: "-".join(str(value) for value in arguments.values()))
def test_a_fixed_operation_means_what_the_seed_means(arguments: Arguments) -> None:
    for pixels in (make_photo("astronaut", 70, 95), make_image(33, 48)):
        [result] = made(pixels, arguments)
        assert_near(result, expected(pixels, arguments))


@pytest.mark.parametrize("processing", ["brighten", "darken", "channel_swap", "mute_channel", "invert", "flip", "shift"])
def test_whole_levels_and_places_are_exact(processing: str) -> None:
    pixels = make_image(40, 64)
    for arguments in FIXED:
        if arguments["processing"] == processing:
            np.testing.assert_array_equal(made(pixels, arguments)[0], expected(pixels, arguments), str(arguments))


@pytest.mark.parametrize("amount", range(101))
def test_fractions_are_dropped(amount: int) -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    for processing in ("brighten", "darken"):
        arguments = {"processing": processing, "amount": amount}
        np.testing.assert_array_equal(made(pixels, arguments)[0], expected(pixels, arguments))


@pytest.mark.parametrize("angle", [1, 33, 90, 135, 180, 270, 359])
def test_rotate(angle: int) -> None:
    pixels = make_photo("chelsea", 80, 110)
    assert_rotated(pixels, made(pixels, {"processing": "rotate", "angle": angle})[0], angle)


@pytest.mark.parametrize("amount", [0, 7, 50, 100])
def test_zoom_shows_a_window_of_the_enlarged_picture(amount: int) -> None:
    pixels = make_photo("chelsea", 30, 44)
    for seed in range(3):
        left, top = zoomed_place(pixels, made(pixels, {"processing": "zoom", "amount": amount}, seed)[0], amount)
        assert 0 <= left <= 0.44 * amount
        assert 0 <= top <= 0.30 * amount


def test_zoom_shows_every_window_alike() -> None:
    # red says the column, green the row
    rows, columns = np.mgrid[0:16, 0:16]
    pixels = np.dstack([columns * 16, rows * 16, rows * 0]).astype(np.uint8)
    corners = np.array([result[8, 8, :2] for result in made(pixels, {"processing": "zoom", "amount": 100}, variants=1700)])
    # enlarged twice, a step of one pixel is half a level of 16
    places = np.rint((corners.astype(float) - corners.min(axis=0)) / 8).astype(int)
    assert_even(places[:, 0], 17)
    assert_even(places[:, 1], 17)


@pytest.mark.parametrize("amount", [1, 25, 60])
def test_cutout(amount: int) -> None:
    pixels = flat(120, 150)
    squares = [
        cut_square(pixels, result, amount)
        for result in made(pixels, {"processing": "cutout", "amount": amount}, variants=60)
    ]
    assert_even(np.concatenate([colours.reshape(-1) for _, _, colours in squares])[:100_000], 256)
    side = round((amount / 100 * 120 * 150) ** 0.5)
    for places, free in (
        (np.array([left for left, _, _ in squares]), 150 - side),
        (np.array([top for _, top, _ in squares]), 120 - side),
    ):
        assert 0 <= places.min() <= 0.2 * free
        assert 0.8 * free <= places.max() <= free + 1
        assert abs(places.mean() - free / 2) < 5 * free / 12**0.5 / 60**0.5 + 1


def test_cutout_of_nothing_and_of_everything() -> None:
    np.testing.assert_array_equal(made(flat(40, 40), {"processing": "cutout", "amount": 0})[0], flat(40, 40))
    assert (made(flat(40, 40), {"processing": "cutout", "amount": 100})[0] != flat(40, 40)).any(axis=2).mean() > 0.99


@pytest.mark.parametrize("amount", [0, 1, 20, 50, 100])
@pytest.mark.parametrize("processing", ["rainbow_noise", "salt_noise", "pepper_noise"])
def test_noise(processing: str, amount: int) -> None:
    pixels = flat(300, 400)
    assert_noise(pixels, made(pixels, {"processing": processing, "amount": amount})[0], processing, amount)


@pytest.mark.parametrize("processing", sorted(RANDOM - {"rotate"}))
def test_each_seed_gives_another_result(processing: str) -> None:
    pixels = make_image(40, 50)
    first, again, other = (made(pixels, {"processing": processing, "amount": 30}, seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("processing", OPERATIONS)
def test_the_smallest_pictures(processing: str, size: tuple[int, int]) -> None:
    arguments = {"processing": processing} | {name: middle(kind) for name, kind in OPERATIONS[processing].fields.items()}
    assert made(make_image(*size), arguments)[0].shape == (*size, 3)


def middle(kind: Whole | OneOf) -> int | str:
    return kind.names[0] if isinstance(kind, OneOf) else 40


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        (None, "/arguments"),
        ([], "/arguments"),
        ({}, "/arguments/processing"),
        ({"processing": "sharpen"}, "/arguments/processing"),
        ({"processing": ["flip"]}, "/arguments/processing"),
        ({"processing": "brighten"}, "/arguments/amount"),
        ({"processing": "brighten", "amount": -1}, "/arguments/amount"),
        ({"processing": "brighten", "amount": 101}, "/arguments/amount"),
        ({"processing": "brighten", "amount": 10.0}, "/arguments/amount"),
        ({"processing": "brighten", "amount": "10"}, "/arguments/amount"),
        ({"processing": "brighten", "amount": True}, "/arguments/amount"),
        ({"processing": "brighten", "amount": None}, "/arguments/amount"),
        ({"processing": "channel_swap", "a": "r"}, "/arguments/b"),
        ({"processing": "channel_swap", "a": "r", "b": "red"}, "/arguments/b"),
        ({"processing": "mute_channel", "channel": 0}, "/arguments/channel"),
        ({"processing": "tint", "channel": "r", "amount": 10**30}, "/arguments/amount"),
        ({"processing": "flip", "axis": "z"}, "/arguments/axis"),
        ({"processing": "rotate", "angle": 0}, "/arguments/angle"),
        ({"processing": "rotate", "angle": 360}, "/arguments/angle"),
        ({"processing": "shift", "direction": "north", "distance": 1}, "/arguments/direction"),
        ({"processing": "shift", "direction": "up", "distance": 0}, "/arguments/distance"),
        ({"processing": "gaussian_blur", "amount": 201}, "/arguments/amount"),
        ({"processing": "uniform_blur", "size": 101}, "/arguments/size"),
        ({"processing": "min_filter", "size": 0}, "/arguments/size"),
        ({"processing": "max_filter", "size": 129}, "/arguments/size"),
        ({"processing": "percentile_filter", "percentile": 101, "size": 3}, "/arguments/percentile"),
        ({"processing": "edge_filter", "image_type": "edges"}, "/arguments/image_type"),
    ],
)
def test_what_is_refused(arguments: Any, pointer: str) -> None:
    with pytest.raises(ValidationError) as refused:
        recipe({"arguments": arguments}, Size(10, 10))
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("document", [None, 7, "x", [], {}])
def test_a_body_that_is_no_request(document: Any) -> None:
    with pytest.raises(ValidationError):
        recipe(document, Size(10, 10))


def test_a_distance_of_any_length_and_fields_that_are_not_ours() -> None:
    pixels = make_image(7, 9)
    [result] = made(pixels, {"processing": "shift", "direction": "left", "distance": 10**40, "note": "as in the seed"})
    np.testing.assert_array_equal(result, np.roll(pixels, -(10**40 % 9), axis=1))


def test_both_ends_of_every_range_are_taken() -> None:
    for name, operation in OPERATIONS.items():
        for high in (False, True):
            fields = {field: end(kind, high) for field, kind in operation.fields.items()}
            recipe({"arguments": {"processing": name, **fields}}, Size(10, 10))


def end(kind: Whole | OneOf, high: bool) -> int | str:
    if isinstance(kind, OneOf):
        return kind.names[-1 if high else 0]
    return kind.low if not high else kind.high or 10**6


def test_the_schema_names_every_field() -> None:
    forms = schema()["properties"]["arguments"]["oneOf"]
    assert {form["properties"]["processing"]["const"]: set(form["required"]) - {"processing"} for form in forms} == {
        name: set(operation.fields) for name, operation in OPERATIONS.items()
    }
