"""Names from elsewhere lead to ours, and are those that the libraries have."""

from __future__ import annotations

import re

import kornia.augmentation
import kornia.augmentation.auto
import pytest
from torchvision.transforms import v2

from kernels.aliases import ALIASES, LIBRARIES, elsewhere, ops_called
from kernels.errors import UnknownOp
from kernels.ops import OPS
from kernels.recipe import Recipe

NOT_CLASSES = {"SolarizeAdd", "Sobel"}
"""Kornia has these elsewhere: one in its policies, one among its filters."""


def test_nearly_every_operation_has_a_name_elsewhere() -> None:
    ours_alone = {"dithering", "threshold", "tint", "zoom"}
    assert {op for op in OPS if not elsewhere(op)} <= ours_alone | (set(OPS) - set(ALIASES))
    assert sum(op in ALIASES for op in OPS) > 65


def test_the_names_are_names() -> None:
    for op in ALIASES:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", op)
        for library, names in elsewhere(op).items():
            assert library in LIBRARIES
            assert all(re.fullmatch(r"[A-Za-z][\w.]*", name) for name in names)


def test_torchvision_and_kornia_have_what_is_said_of_them() -> None:
    for op in ALIASES:
        names = elsewhere(op)
        assert all(hasattr(v2, name) for name in names.get("torchvision", ())), op
        for name in set(names.get("kornia", ())) - NOT_CLASSES:
            assert hasattr(kornia.augmentation, name) or hasattr(kornia.augmentation.auto, name), name


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("HorizontalFlip", "hflip"),
        ("horizontalflip", "hflip"),
        ("RandomHorizontalFlip", "hflip"),
        ("Fliplr", "hflip"),
        ("RandomBrightnessContrast", "brightness_contrast"),
        ("CoarseDropout", "coarse_dropout"),
        ("noise.shot", "shot_noise"),
    ],
)
def test_a_name_leads_to_ours(name: str, op: str) -> None:
    assert ops_called(name)[0] == op


def test_a_recipe_keeps_one_spelling() -> None:
    with pytest.raises(UnknownOp) as caught:
        Recipe.parse({"steps": [{"op": "HorizontalFlip", "p": 0.5}]}, "/recipe")
    assert caught.value.called_here == ("hflip",)
    assert caught.value.pointer == "/recipe/steps/0/op"
    assert "it is called hflip here" in caught.value.message


def test_what_this_release_lacks_is_not_promised() -> None:
    missing = [op for op in ALIASES if op not in OPS]
    for op in missing:
        for name in (name for names in elsewhere(op).values() for name in names):
            with pytest.raises(UnknownOp) as caught:
                Recipe.parse({"steps": [{"op": name}]})
            assert op not in caught.value.called_here
