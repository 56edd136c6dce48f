"""Policies against torchvision's own tables and functions: names, chances, magnitudes, and what each does to a picture."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import AugMix, AutoAugment, AutoAugmentPolicy, InterpolationMode, RandAugment
from torchvision.transforms.v2 import TrivialAugmentWide as Trivial

from kernels import augment
from kernels.magnitudes import AUTO, MIX, MIX_ALL, RAND, TRIVIAL, Space
from kernels.op import Member
from kernels.ops import OPS, aug_mix
from kernels.params import Params
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import run
from kernels.sub_policies import CIFAR10, IMAGENET, SVHN
from kernels.tensors import Picture, Size
from tests.helpers.pictures import CPU, make_image, make_photo
from tests.unit.kernels.test_containers import as_often
from tests.unit.kernels.test_library import image

NAMES = {
    "Identity": "identity",
    "ShearX": "shear_x",
    "ShearY": "shear_y",
    "TranslateX": "translate_x",
    "TranslateY": "translate_y",
    "Rotate": "rotate",
    "Brightness": "brightness",
    "Color": "color",
    "Contrast": "contrast",
    "Sharpness": "sharpness",
    "Posterize": "posterize",
    "Solarize": "solarize",
    "AutoContrast": "auto_contrast",
    "Equalize": "equalize",
    "Invert": "invert",
}
"""Ours by torchvision's."""
SPACES: dict[str, tuple[Space, Any]] = {
    "auto_augment": (AUTO, AutoAugment._AUGMENTATION_SPACE),
    "rand_augment": (RAND, RandAugment._AUGMENTATION_SPACE),
    "trivial_augment": (TRIVIAL, Trivial._AUGMENTATION_SPACE),
    "aug_mix": (MIX_ALL, AugMix._AUGMENTATION_SPACE),
    "aug_mix_as_published": (MIX, AugMix._PARTIAL_AUGMENTATION_SPACE),
}
SIDES = ((224, 224), (37, 512), (331, 32))
MANY = 3000


def magnitude_of(name: str, member: Member, size: Size) -> float:
    """What torchvision calls the magnitude of a step of ours."""
    fields = {key: float(value) for key, value in member.fields.items() if not isinstance(value, str)}
    match name:
        case "shear_x" | "shear_y":
            return -math.tan(math.radians(fields[name]))
        case "translate_x" | "translate_y":
            return fields["x_pixels"] + fields["y_pixels"]
        case "rotate":
            return fields["degrees"]
        case "posterize":
            return fields["bits"]
        case "solarize":
            return fields["threshold"]
        case _:
            return fields["factor"] - 1.0


@pytest.mark.parametrize("policy", SPACES)
def test_operations_and_magnitudes_are_torchvisions(policy: str) -> None:
    ours, theirs = SPACES[policy]
    assert set(ours.names) == {NAMES[name] for name in theirs}
    for (name, (made, signed)), size in ((pair, Size(*sides)) for pair in theirs.items() for sides in SIDES):
        table = made(ours.bins, *size)
        for strength in range(ours.bins):
            forth, back = (ours.member(NAMES[name], strength, negative, size) for negative in (False, True))
            if name == "Identity":
                assert forth is back is None
                continue
            assert forth is not None
            assert back is not None
            assert OPS[forth.op].kind_name != "mix"
            if table is None:
                assert forth == back
                continue
            expected = float(table[strength])
            found = magnitude_of(NAMES[name], forth, size)
            if name.startswith("Translate"):
                # theirs is cut off to whole pixels when it is applied, from a float32 that may be a hair below a whole one
                assert abs(found - expected) < 1.0 + 1e-4
                assert found == int(expected + 1e-4)
            else:
                assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert magnitude_of(NAMES[name], back, size) == pytest.approx(-found if signed else found, abs=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(IMAGENET, AutoAugmentPolicy.IMAGENET), (CIFAR10, AutoAugmentPolicy.CIFAR10), (SVHN, AutoAugmentPolicy.SVHN)],
)
def test_sub_policies_are_torchvisions(ours: Any, theirs: AutoAugmentPolicy) -> None:
    expected = [
        [(NAMES[name], chance, strength or 0) for name, chance, strength in pair] for pair in AutoAugment(theirs)._policies
    ]
    assert [[tuple(each) for each in pair] for pair in ours] == expected


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Identity"])
def test_what_a_member_does_is_what_torchvision_does(name: str) -> None:
    """On a photograph; turns and shears between pixels, all in 8 bits."""
    photo = torch.from_numpy(make_photo("astronaut", 120, 90))
    size = Size(120, 90)
    made, signed = AutoAugment._AUGMENTATION_SPACE[name]
    theirs = AutoAugment(interpolation=InterpolationMode.BILINEAR)
    for negative in (False, True) if signed else (False,):
        member = AUTO.member(NAMES[name], 7, negative, size)
        assert member is not None
        table = made(AUTO.bins, *size)
        magnitude = 0.0 if table is None else float(table[7]) * (-1 if negative else 1)
        expected = theirs._apply_image_or_video_transform(
            photo.permute(2, 0, 1), name, magnitude, InterpolationMode.BILINEAR, theirs._fill
        ).permute(1, 2, 0)
        result = one_member(member, photo)
        difference = (result.int() - expected.int()).abs()
        if name in ("Rotate", "ShearX", "ShearY"):
            difference = difference[8:-8, 8:-8]  # borders are blended another way
        # torchvision rounds sums down, and before them a pixel's grey, which colour takes eight tenths of
        assert (difference <= (2 if name == "Color" else 1)).double().mean() > 0.995


def one_member(member: Member, pixels: torch.Tensor) -> torch.Tensor:
    ends = {name: (value,) if isinstance(value, str) else (value, value) for name, value in member.fields.items()}
    step: Params = OPS[member.op].params().model_copy(update=ends)
    (planned,) = plans(Recipe(steps=(step,)), 0, [Variant(0, 0, Size(*pixels.shape[:2]))])
    return run([planned], [Picture(pixels)], CPU)[0].pixels


# ------------------------------------------------------------------------------------------------ how often
def many(**step: Any) -> list[Plan]:
    return plans(Recipe.parse({"steps": [step]}), 7, [Variant(key, 0, Size(331, 331)) for key in range(MANY)])


def test_auto_augment_takes_every_pair_as_often_with_its_chances() -> None:
    expected: Counter[str] = Counter()
    for pair in CIFAR10:
        for name, chance, strength in pair:
            for negative in (False, True):
                member = AUTO.member(name, strength, negative, Size(331, 331))
                assert member is not None
                expected[json.dumps(member.document())] += chance / 50  # type: ignore[assignment]  # shares, not counts
    found = many(op="auto_augment", policy="cifar10")
    seen = Counter(json.dumps(member) for made in found for member in made.draws[0]["members"])
    assert set(seen) <= set(expected)
    for member, share in expected.items():
        assert abs(seen[member] - share * MANY) <= 5 * math.sqrt(MANY * share) + 1


def test_rand_augment_takes_n_operations_each_as_often_at_one_strength() -> None:
    found = many(op="rand_augment", n=3, m=12)
    kinds = Counter(kind_of(member) for made in found for member in made.draws[0]["members"])
    as_often(Counter({**kinds, "identity": 3 * MANY - kinds.total()}), dict.fromkeys(RAND.names, 1 / 14))
    turns = Counter(step.fields["degrees"] for made in found for step in made.steps if step.op.name == "rotate")
    as_often(turns, {12.0: 0.5, -12.0: 0.5})
    assert many(op="rand_augment", n=0)[0].steps == ()
    strengths = many(op="rand_augment", n=1, m=[0, 30])
    assert {made.draws[0]["draws"]["m"] for made in strengths} == set(range(31))


def kind_of(member: dict[str, Any]) -> str:
    """The name in the papers."""
    op, fields = member["op"], member["draws"]
    match op:
        case "affine":
            return "shear_x" if fields["shear_x"] else "shear_y"
        case "translate":
            return "translate_x" if fields["x_pixels"] else "translate_y"
        case "saturation":
            return "color"
        case _:
            return str(op)


def test_trivial_augment_takes_one_operation_at_any_strength() -> None:
    found = many(op="trivial_augment")
    assert {len(made.draws[0]["members"]) for made in found} == {0, 1}
    names = Counter(made.draws[0]["members"][0]["op"] if made.steps else "identity" for made in found)
    shares = dict.fromkeys([OP_OF.get(name, name) for name in TRIVIAL.names], 1 / 14) | {
        "affine": 2 / 14,
        "translate": 2 / 14,
    }
    as_often(names, shares)
    thresholds = {step.fields["threshold"] for made in found for step in made.steps if step.op.name == "solarize"}
    assert len(thresholds) == 31
    assert {min(thresholds), max(thresholds)} == {0.0, 1.0}


OP_OF = {
    "shear_x": "affine",
    "shear_y": "affine",
    "translate_x": "translate",
    "translate_y": "translate",
    "color": "saturation",
}


def test_aug_mix_draws_flat_weights_short_chains_and_weak_steps() -> None:
    found = many(op="aug_mix", severity=4, width=3, depth=[1, 3])
    strands = [made.draws[0]["strands"] for made in found]
    weights = np.array([[one["weight"] for one in each] for each in strands])
    assert weights.shape == (MANY, 4)
    assert np.allclose(weights.sum(axis=1), 1.0)
    assert all(each[0]["members"] == [] for each in strands)
    # the picture's share: even from 0 to 1, so 1/2 and 1/12; a chain's: half of 1/3 on average, all alike
    assert weights[:, 0].mean() == pytest.approx(1 / 2, abs=0.03)
    assert weights[:, 0].var() == pytest.approx(1 / 12, abs=0.01)
    assert weights[:, 1:].mean(axis=0) == pytest.approx([1 / 6] * 3, abs=0.01)
    shares = weights[:, 1:] / weights[:, 1:].sum(axis=1, keepdims=True)
    # a flat Dirichlet distribution of three: variance 1/18
    assert shares.var(axis=0) == pytest.approx([1 / 18] * 3, abs=0.006)
    as_often(Counter(len(one["members"]) for each in strands for one in each[1:]), dict.fromkeys((1, 2, 3), 1 / 3))
    members = [member for each in strands for one in each for member in one["members"]]
    turns = {abs(member["draws"]["degrees"]) for member in members if member["op"] == "rotate"}
    assert sorted(turns) == pytest.approx([30 * strength / 9 for strength in range(4)])


def test_aug_mix_without_all_operations_leaves_light_and_colour() -> None:
    strands = [one for made in many(op="aug_mix", all_ops=False, width=[1, 8]) for one in made.draws[0]["strands"]]
    assert {member["op"] for one in strands for member in one["members"]} == {
        *("affine", "translate", "rotate", "posterize", "solarize", "auto_contrast", "equalize")
    }
    assert aug_mix.draws(aug_mix.AugMix(width=(1, 8))) == 8 + 8 * 10


# ------------------------------------------------------------------------------------------------ through the library
POLICIES = ("auto_augment", "rand_augment", "trivial_augment", "aug_mix")


@pytest.mark.parametrize("name", POLICIES)
def test_company_and_order_change_nothing(name: str) -> None:
    pictures = [make_image(30 + n, 40, seed=n) for n in range(6)]
    recipe = {"steps": [{"op": "hflip", "chance": 0.5}, {"op": name}, {"op": "gaussian_noise"}]}
    outputs = augment(pictures, recipe, seed=3, variants=2)
    backwards = augment(pictures[::-1], recipe, seed=3, variants=2, keys=list(range(6))[::-1])
    alike = {(output.key, output.variant): output for output in backwards}
    for output in outputs:
        assert np.array_equal(image(output), image(alike[output.key, output.variant]))
        assert output.draws == alike[output.key, output.variant].draws
        assert json.loads(json.dumps(output.draws)) == list(output.draws)


def test_labels_follow_what_a_policy_moves_and_stay_under_a_blend() -> None:
    box = {"boxes": {"values": [[8, 8, 20, 20]]}}
    pictures, labels = [make_image(64, 64)] * 30, [box] * 30
    moved = augment(pictures, {"steps": [{"op": "rand_augment", "n": 1, "m": 20}]}, seed=3, labels=labels)
    for output in moved:
        moves = any(OPS[member["op"]].moves_labels and any_move(member) for member in output.draws[0]["members"])
        assert output.labels is not None
        assert (output.labels.boxes is None or output.labels.boxes.values != ((8, 8, 20, 20),)) == moves
    blended = augment(pictures, {"steps": [{"op": "aug_mix", "severity": 9}]}, seed=3, labels=labels)
    for output in blended:
        assert output.labels is not None
        assert output.labels.boxes is not None
        assert output.labels.boxes.values == ((8, 8, 20, 20),)


def any_move(member: dict[str, Any]) -> bool:
    return any(value for name, value in member["draws"].items() if name != "scale")


def test_a_policy_fuses_with_what_stands_around_it() -> None:
    """A made-up turn and a written flip are one chain: the picture is read once."""
    from kernels.stages import Chain, stages

    found = plans(
        Recipe.parse({"steps": [{"op": "rotate"}, {"op": "rand_augment", "n": 1, "border": "reflect"}, {"op": "hflip"}]}),
        7,
        [Variant(key, 0, Size(20, 30)) for key in range(60)],
    )
    turned = [made for made in found if len(made.steps) == 3 and made.steps[1].op.name == "rotate"]
    assert turned
    for made in turned:
        (chain,) = stages(made)
        assert isinstance(chain, Chain)
        assert [link.border for link in chain.links] == ["constant", "reflect", "replicate"]
