"""Every form of every installed peer does its operation: on pictures of any sides, and something."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from benchmarks.kernels import goals, ops, report
from benchmarks.kernels.goals import Goal
from benchmarks.kernels.measure import watch
from benchmarks.kernels.ours import augmented, planned, works
from benchmarks.kernels.peers.peer import Peer, installed
from benchmarks.kernels.pictures import TEN_COLOURS, Pixels, photographs
from kernels.op import Mix
from kernels.ops import OPS
from kernels.recipe import Recipe

FORMS = [(peer, name) for peer in installed() for name in peer.forms]
DRAWN = {
    *("elastic", "gaussian_noise", "impulse_noise", "multiplicative_noise", "uniform_noise", "speckle_noise", "shot_noise"),
    *("salt", "pepper", "salt_and_pepper", "auto_augment", "rand_augment", "trivial_augment", "aug_mix", "superpixels"),
}
"""Operations that peers draw for by themselves, so that their pixels are others."""
FILLED = {"letterbox", "pad", "pad_if_needed", "pad_to_multiple", "zoom_out"}
"""Peers leave what is added black."""
UNLIKE = {
    "kornia": {
        "channel_dropout",
        "channel_swap",
        "cutout",
        "edge_map",
    },  # three are drawn; edges are not stretched to white
    "torchvision": {"affine", "shear"},  # other corners stay where they are
    "opencv": {
        "clahe",
        "kmeans_color_quantize",
        "grid_mask",
        "laplacian",
        "edge_map",
    },  # lightness; starts; sizes; sobel's scale
    "skimage": {
        "piecewise_affine",
        "thin_plate_spline",
        "clahe",
        "otsu_threshold",
        "adaptive_threshold",
    },  # moves; float grey
}
"""The same kind of work by another rule, or with other numbers."""


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
        if name not in DRAWN | FILLED | UNLIKE.get(peer.name, set()):
            ours = augmented(plan, before).astype(int)
            assert np.abs(pixels.astype(int) - ours).mean() < 4.0


def test_whole_recipes_have_their_peers() -> None:
    names = {peer.name for peer in installed()}
    steps = {step["op"] for step in TEN_COLOURS["steps"]}

    assert names >= {"kornia", "torchvision", "opencv", "scipy", "skimage", "pillow"}
    assert {"kornia", "opencv"} <= {peer.name for peer in installed() if steps <= peer.forms.keys()}


def test_forms_are_of_operations_of_the_catalogue() -> None:
    # one with any other name would never be measured
    assert {name for peer in installed() for name in peer.forms} <= OPS.keys()


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if isinstance(op.kind, Mix)])
def test_operations_that_mix_have_pictures_to_mix(name: str) -> None:
    photos = [photo(seed) for seed in range(5)]
    made = [work() for work in works(ops.recipe_of(name), photos)()]

    assert len(made) == 5
    assert any(after.shape != before.shape or (after != before).any() for after, before in zip(made, photos, strict=True))


def test_the_report_has_every_operation_beside_its_peers_or_alone() -> None:
    photos, peers = photographs(1), [peer for peer in installed() if peer.name in ("scipy", "opencv")]
    with watch(pictures=1, rounds=1, cores=1) as clock:
        taken = ops.measured(clock, photos, peers, ["box_blur", "tone_curve"])

    assert [*taken["box_blur"]] == ["kernels", "opencv", "scipy"]
    assert [*taken["tone_curve"]] == ["kernels"]
    assert {goal.what for goal in goals.of_ops(taken, "cpu_us")} == {"box_blur: times as fast as scipy"}
    ns = report.ns_a_pixel(taken)
    assert ns["tone_curve"] == pytest.approx(taken["tone_curve"]["kernels"].cpu_us[0] * 1000 / 512**2, rel=0.01)
    shown = report.alone_of({"tone_curve": taken["tone_curve"]}, "cpu_us")
    assert [column.header for column in shown.columns] == ["", "a picture", "a megapixel"]
    assert shown.row_count == 1


def test_goals_say_whether_they_are_met() -> None:
    assert Goal("rate", 1.8, 1.9).document() == {"what": "rate", "goal": ">= 1.8", "measured": 1.9, "met": True}
    assert not Goal("rate", 1.8, 1.7).met
    assert Goal("time", 20.0, 19.0, at_most=True).met
    assert not Goal("time", 20.0, 21.0, at_most=True).met
