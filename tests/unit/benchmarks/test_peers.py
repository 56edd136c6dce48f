"""Every form of every installed peer does its operation: on pictures of any sides, and something."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from benchmarks.kernels import ops
from benchmarks.kernels.goals import Goal
from benchmarks.kernels.ours import augmented, planned
from benchmarks.kernels.peers.peer import Peer, installed
from benchmarks.kernels.pictures import TEN_COLOURS, Pixels
from kernels.ops import OPS
from kernels.recipe import Recipe

FORMS = [(peer, name) for peer in installed() for name in peer.forms]
ALIKE = {
    "hflip",
    "vflip",
    "center_crop",
    "random_crop",
    "rotate",
    "brightness",
    "invert",
    "grayscale",
    "resize",
    "posterize",
}
"""Operations that every library means the same by, so that their pixels can be compared: within 4 levels on average."""


def photo(seed: int) -> Pixels:
    soft = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(soft, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def through(peer: Peer, recipe: Recipe, photos: list[Pixels]) -> list[Pixels]:
    plans = planned(recipe, photos)
    if peer.is_batched:
        return list(peer.unload(peer.applied(peer.load(photos), plans)))
    return [peer.unload(peer.applied(peer.load(pixels), [plan])) for plan, pixels in zip(plans, photos, strict=True)]


@pytest.mark.parametrize(("peer", "name"), FORMS, ids=lambda value: value if isinstance(value, str) else value.name)
def test_a_form_does_its_operation(peer: Peer, name: str) -> None:
    photos, recipe = [photo(1), photo(2)], ops.recipe_of(name)
    torch.manual_seed(4)  # peers that draw by themselves: a shuffle of channels may leave them as they are
    made = through(peer, recipe, photos)

    for pixels, plan, before in zip(made, planned(recipe, photos), photos, strict=True):
        assert pixels.dtype == np.uint8
        assert pixels.shape == (*plan.size_out, 3)
        assert pixels.shape != before.shape or (pixels != before).any()
        if name in ALIKE:
            ours = augmented(plan, before).astype(int)
            assert np.abs(pixels.astype(int) - ours).mean() < 4.0


def test_whole_recipes_have_their_peers() -> None:
    names = {peer.name for peer in installed()}
    steps = {step["op"] for step in TEN_COLOURS["steps"]}

    assert names >= {"kornia", "torchvision", "opencv"}
    assert {"kornia", "opencv"} <= {peer.name for peer in installed() if steps <= peer.forms.keys()}


def test_forms_are_of_operations_of_the_catalogue() -> None:
    # one with any other name would never be measured
    assert {name for peer in installed() for name in peer.forms} <= OPS.keys()


def test_goals_say_whether_they_are_met() -> None:
    assert Goal("rate", 1.8, 1.9).document() == {"what": "rate", "goal": ">= 1.8", "measured": 1.9, "met": True}
    assert not Goal("rate", 1.8, 1.7).met
    assert Goal("time", 20.0, 19.0, at_most=True).met
    assert not Goal("time", 20.0, 21.0, at_most=True).met
