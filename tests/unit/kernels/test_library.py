"""augment: the library entry point, on bytes, arrays and tensors."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import kernels
from kernels import Labels, Recipe, augment
from kernels.errors import (
    ImageDimensions,
    ImageTooManyPixels,
    ImageTruncated,
    LabelInvalid,
    RecipeInvalid,
    UnknownOp,
    UnsupportedFormat,
)
from kernels.library import Augmented
from kernels.version import engine_version
from tests.helpers.pictures import Pixels, make_image, make_photo

RECIPE = {"steps": [{"op": "rotate", "degrees": [-30, 30]}, {"op": "hflip", "chance": 0.5}, {"op": "gaussian_noise"}]}


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def image(output: Augmented) -> Pixels:
    assert output.image is not None, output.error
    pixels: Pixels = output.image.numpy()
    return pixels


def test_results_come_in_order_with_their_draws(threads: int) -> None:
    outputs = augment([make_image(8, 9), make_image(7, 5)], RECIPE, seed=7, keys=["a", 12], variants=3)
    assert [(output.key, output.variant) for output in outputs] == [("a", 0), ("a", 1), ("a", 2), (12, 0), (12, 1), (12, 2)]
    assert [image(output).shape for output in outputs] == [(8, 9, 3)] * 3 + [(7, 5, 3)] * 3
    assert len({output.draws[0]["draws"]["degrees"] for output in outputs}) == 6
    assert torch.get_num_threads() == threads


def test_bytes_arrays_and_tensors_are_the_same_picture(threads: int) -> None:
    pixels = make_photo("chelsea", 60, 80)
    sources = [
        png(pixels),
        pixels,
        torch.from_numpy(pixels),
        torch.from_numpy(pixels.transpose(1, 0, 2).copy()).transpose(0, 1),
    ]
    outputs = augment(sources, RECIPE, seed=1, keys=[5] * 4)
    assert all(np.array_equal(image(output), image(outputs[0])) for output in outputs)


def test_keys_and_not_places_decide(threads: int) -> None:
    pixels = [make_image(20, 30, seed=n) for n in range(5)]
    keys = ["a.png", "b.png", 3, 4, "e.png"]
    ordered = {(o.key, o.variant): image(o) for o in augment(pixels, RECIPE, seed=9, keys=keys, variants=2)}
    some = augment(pixels[::-2], RECIPE, seed=9, keys=keys[::-2], variants=2)
    assert all(np.array_equal(image(output), ordered[output.key, output.variant]) for output in some)
    by_place = augment(pixels[:2], RECIPE, seed=9)
    assert [output.key for output in by_place] == [0, 1]


def test_a_bad_picture_fails_alone(threads: int) -> None:
    good = make_image()
    outputs = augment([good, b"hello", png(good)[:-40], png(good)], RECIPE, seed=0, keys=[1, 2, 3, 1], variants=2)
    assert [type(output.error) for output in outputs[2:6]] == [UnsupportedFormat] * 2 + [ImageTruncated] * 2
    assert outputs[2].image is None
    assert np.array_equal(image(outputs[0]), image(outputs[6]))


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (np.zeros((5, 4, 3), np.float32), UnsupportedFormat),
        (np.zeros((5, 4, 3), np.uint16), UnsupportedFormat),
        (torch.zeros(5, 4, 3), UnsupportedFormat),
        (np.zeros((5, 4, 2), np.uint8), UnsupportedFormat),
        (torch.zeros(3, 5, 7, dtype=torch.uint8), UnsupportedFormat),
        (np.zeros((1, 5, 4, 3), np.uint8), UnsupportedFormat),
        (np.zeros(5, np.uint8), UnsupportedFormat),
        (np.array([b"x", None], dtype=object), UnsupportedFormat),
        ("cat.jpg", UnsupportedFormat),
        (None, UnsupportedFormat),
        (np.zeros((0, 5, 3), np.uint8), ImageDimensions),
        (torch.zeros(5, 0, 3, dtype=torch.uint8), ImageDimensions),
        (np.zeros((20_000, 1, 3), np.uint8), ImageDimensions),
        (np.zeros((1, 70_000), np.uint8), ImageDimensions),
        (np.broadcast_to(np.uint8(1), (9000, 9000, 3)), ImageTooManyPixels),
    ],
)
def test_arrays_that_are_no_pictures_or_too_large_fail_alone(bad: Any, code: type, threads: int) -> None:
    good = make_image(6, 7)
    outputs = augment([bad, good], {"steps": [{"op": "hflip"}]}, seed=0, keys=["bad", "good"])
    assert type(outputs[0].error) is code
    assert np.array_equal(image(outputs[1]), good[:, ::-1])


def test_an_array_that_is_no_picture_is_passed_over_as_a_partner() -> None:
    pictures = [make_image(6, 7), np.zeros((6, 7, 3), np.float32), make_image(6, 7, seed=1)]
    outputs = augment(pictures, {"steps": [{"op": "mixup"}]}, seed=0, variants=4)
    assert [output.error is None for output in outputs] == [True] * 4 + [False] * 4 + [True] * 4


def test_labels_move_and_wrong_ones_fail_alone() -> None:
    labels = [{"boxes": {"values": [[0, 0, 10, 10]]}}, {"boxes": {"values": [[3, 0, 1, 10]]}}, None]
    outputs = augment([make_image(20, 30)] * 3, {"steps": [{"op": "hflip"}]}, seed=0, labels=labels)
    assert outputs[0].labels is not None
    assert outputs[0].labels.document()["boxes"]["values"] == [[20, 0, 30, 10]]
    assert isinstance(outputs[1].error, LabelInvalid)
    assert outputs[1].error.pointer == "/labels/1/boxes/values/0"
    assert outputs[2].labels is None
    again = augment([make_image(20, 30)], {"steps": []}, seed=0, labels=[outputs[0].labels])
    assert isinstance(again[0].labels, Labels)


def test_a_picture_too_large_for_its_recipe_fails_alone() -> None:
    outputs = augment([make_image(8, 8), make_image(8, 500)], {"steps": [{"op": "pad", "left": 16_000}]}, seed=0)
    assert outputs[0].error is None
    assert isinstance(outputs[1].error, RecipeInvalid)


def test_grey_is_tripled_and_transparency_follows_the_output() -> None:
    grey, clear = make_image(6, 7, channels=1), make_image(6, 7, channels=4)
    assert np.array_equal(image(augment([grey[..., 0]], {}, seed=0)[0]), np.repeat(grey, 3, axis=2))
    assert np.array_equal(image(augment([grey], {}, seed=0)[0]), np.repeat(grey, 3, axis=2))
    kept = {"output": {"format": "png", "alpha": "keep"}}
    for source in (clear, png(clear)):
        assert np.array_equal(image(augment([source], kept, seed=0)[0]), clear)
    from_array, from_bytes = (image(augment([source], {}, seed=0)[0]) for source in (clear, png(clear)))
    over_black = clear[..., :3] * (clear[..., 3:] / 255.0)
    assert np.abs(from_array - over_black).max() <= 0.51
    assert np.array_equal(from_array, from_bytes)


def test_wrong_recipes_and_lists_are_refused() -> None:
    with pytest.raises(UnknownOp, match="rotate"):
        augment([], {"steps": [{"op": "rotat"}]}, seed=0)
    with pytest.raises(RecipeInvalid):
        augment([], {"steps": [{"op": "rotate", "degrees": "x"}]}, seed=0)
    with pytest.raises(ValueError, match="1 pictures, but 2 keys"):
        augment([make_image()], {}, seed=0, keys=[1, 2])
    assert augment([], Recipe.parse({}), seed=0) == []


def test_what_no_picture_can_have_is_refused_at_once() -> None:
    picture = [make_image(6, 7)]
    for variants in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1 variant of a picture, not {variants}"):
            augment(picture, {}, seed=0, variants=variants)
    with pytest.raises(ValueError, match="surrogates"):
        augment(picture, {}, seed=0, keys=["\ud800"])
    with pytest.raises(TypeError, match=r"text or a whole number, not 1\.5"):
        augment(picture, {}, seed=0, keys=[1.5])  # type: ignore[list-item]  # that is the test
    with pytest.raises(ValueError, match=r"there is no device cuda:99: torch finds \d+ GPUs"):
        augment(picture, {}, seed=0, device="cuda:99")
    with pytest.raises(ValueError, match="cpu or cuda, not meta"):
        augment(picture, {}, seed=0, device="meta")


def test_importing_the_package_alone_imports_no_tensors() -> None:
    command = "import sys, kernels, kernels.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
    with pytest.raises(AttributeError):
        _ = kernels.nothing  # type: ignore[attr-defined]  # that is the test


def test_engine_version_names_device_and_cpu() -> None:
    version = engine_version("cpu")
    digest, device, cpu = version.split("-", 2)
    assert (len(digest), device) == (16, "cpu")
    assert cpu
    assert len(version) <= 64
