"""Imported steps give the pixels that the source library gives, with every number fixed.

Steps on colours agree within one level of 255: both round once. Steps that move pixels are read bilinearly by both, with
weights of different precision, so 97 of 100 values agree within two levels; the others lie where the edge of the picture is
blended with what is outside.
"""

from __future__ import annotations

import json
from typing import Any

import kornia.augmentation as kornia
import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode, v2

from service.importing.pipeline import import_pipeline
from tests.helpers.pictures import Pixels, made, make_photo
from tests.helpers.pipelines import of_torchvision

LINEAR = InterpolationMode.BILINEAR
PHOTO = make_photo("astronaut", 90, 121)


def near(ours: Pixels, theirs: Pixels, *, moved: bool) -> None:
    assert ours.shape == theirs.shape
    differences = np.abs(ours.astype(int) - theirs.astype(int))
    if moved:
        assert np.quantile(differences, 0.97) <= 2, np.quantile(differences, [0.5, 0.9, 0.97, 1])
    else:
        assert differences.max() <= 1


COLOURS = [
    v2.RandomInvert(p=1.0),
    v2.RandomSolarize(threshold=100, p=1.0),
    v2.RandomPosterize(bits=3, p=1.0),
    v2.Grayscale(3),
    v2.RandomAutocontrast(p=1.0),
    v2.ColorJitter(brightness=(1.3, 1.3)),
    v2.ColorJitter(contrast=(0.6, 0.6)),
    v2.ColorJitter(saturation=(1.5, 1.5)),
    v2.ColorJitter(hue=(0.2, 0.2)),
    v2.RandomEqualize(p=1.0),
]
PLACES = [
    v2.RandomHorizontalFlip(p=1.0),
    v2.RandomVerticalFlip(p=1.0),
    v2.CenterCrop([50, 60]),
    v2.CenterCrop(40),
    v2.Resize([200, 170]),
    v2.Pad([3, 5, 7, 9], fill=128),
    v2.Pad(6, padding_mode="edge"),
    v2.Pad([6, 4], padding_mode="symmetric"),
    v2.RandomRotation((20, 20), interpolation=LINEAR, fill=50),
    v2.RandomAffine((25, 25), interpolation=LINEAR),
    v2.RandomAffine((-10, -10), scale=(1.3, 1.3), interpolation=LINEAR, fill=200),
    v2.RandomAffine((0, 0), shear=(12, 12, 0, 0), interpolation=LINEAR),
    v2.RandomAffine((0, 0), shear=(0, 0, -9, -9), interpolation=LINEAR),
]


@pytest.fixture(scope="module", autouse=True)
def _compiled(compiled_kernels: None) -> None:
    """No test's time includes a compiler's."""


def of_library(transform: v2.Transform) -> Pixels:
    result: Pixels = transform(torch.from_numpy(PHOTO).permute(2, 0, 1)).permute(1, 2, 0).numpy()
    return result


@pytest.mark.parametrize("transform", COLOURS + PLACES, ids=repr)
def test_torchvision(transform: v2.Transform) -> None:
    imported = import_pipeline([of_torchvision(transform)], "torchvision")
    if imported.counts["missing"]:
        pytest.skip(imported.items[0].says[0])
    near(made(PHOTO, imported.document["steps"]), of_library(transform), moved=transform in PLACES)


KORNIA: list[tuple[str, dict[str, Any], bool]] = [
    ("RandomHorizontalFlip", {"p": 1.0}, False),
    ("RandomInvert", {"p": 1.0}, False),
    ("RandomBrightness", {"brightness": [1.2, 1.2]}, False),
    ("RandomContrast", {"contrast": [0.7, 0.7]}, False),
    ("RandomGamma", {"gamma": [1.6, 1.6], "gain": [0.8, 0.8]}, False),
    ("RandomHue", {"hue": [0.15, 0.15]}, False),
    ("RandomPosterize", {"bits": [3, 3], "p": 1.0}, False),
    ("RandomSolarize", {"thresholds": [0.4, 0.4], "additions": [0.0, 0.0], "p": 1.0}, False),
    ("RandomSolarize", {"thresholds": [0.6, 0.6], "additions": [0.2, 0.2], "p": 1.0}, False),
    ("RandomGrayscale", {"p": 1.0}, False),
    (
        "RandomRGBShift",
        {"r_shift_limit": [0.1, 0.1], "g_shift_limit": [-0.2, -0.2], "b_shift_limit": [0.0, 0.0], "p": 1.0},
        False,
    ),
    ("ColorJitter", {"brightness": [1.1, 1.1], "contrast": [1.2, 1.2], "order": [0, 1, 2, 3]}, False),
    ("RandomRotation", {"degrees": [20.0, 20.0], "p": 1.0}, True),
    ("RandomAffine", {"degrees": [15.0, 15.0], "p": 1.0}, True),
    ("RandomAffine", {"degrees": [0.0, 0.0], "scale": [0.8, 0.8], "p": 1.0}, True),
    ("RandomAffine", {"degrees": [0.0, 0.0], "shear": [10.0, 10.0], "p": 1.0}, True),
    ("RandomAffine", {"degrees": [0.0, 0.0], "shear": [0.0, 0.0, 8.0, 8.0], "p": 1.0}, True),
    ("RandomShear", {"shear": [10.0, 10.0, 0.0, 0.0], "p": 1.0}, True),
    ("RandomTranslate", {"translate_x": [0.1, 0.1], "translate_y": [-0.2, -0.2], "p": 1.0}, True),
    ("CenterCrop", {"size": [40, 60]}, True),
    ("Resize", {"size": [200, 170], "align_corners": False}, True),
    ("RandomMedianBlur", {"kernel_size": [3, 3], "p": 1.0}, True),
    ("RandomBoxBlur", {"kernel_size": [5, 5], "p": 1.0}, True),
]


def called(name: str, arguments: dict[str, Any]) -> Pixels:
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    image = torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255
    result = getattr(kornia, name)(**given)(image)[0].permute(1, 2, 0)
    pixels: Pixels = (result * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return pixels


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments", "moved"), KORNIA, ids=lambda value: json.dumps(value, default=str)[:60])
def test_kornia(name: str, arguments: dict[str, Any], moved: bool) -> None:
    imported = import_pipeline([{name: arguments}], "kornia")
    if imported.counts["missing"]:
        pytest.skip(imported.items[0].says[0])
    near(made(PHOTO, imported.document["steps"]), called(name, arguments), moved=moved)
