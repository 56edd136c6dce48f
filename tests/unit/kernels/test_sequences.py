"""Sequences: the same draws for all pictures whose names say that they belong together, whoever else is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

from kernels import Augmented, augment
from kernels.plan import Variant, plan, plans
from kernels.recipe import Recipe
from kernels.rng import item_key
from kernels.tensors import Size
from tests.helpers.pictures import make_image

SIZE = Size(24, 32)
INSIDE = [
    {"op": "rotate"},
    {"op": "brightness", "chance": 0.5},
    {"op": "one_of", "steps": [{"op": "hflip"}, {"op": "hue"}]},
]


def draws(name: int | str, inside: Sequence[Mapping[str, Any]] = INSIDE, by: str = "folder", variant: int = 0) -> list[Any]:
    """The draws of a step outside, then those of `same_draws` and all in it."""
    steps = [{"op": "contrast"}, {"op": "same_draws", "by": by, "chance": 0.9, "steps": list(inside)}]
    return list(plan(Recipe.parse({"steps": steps}), 3, name, variant, SIZE).draws)


def test_frames_of_a_folder_have_the_same_draws_inside_and_their_own_outside() -> None:
    first, second, other = (draws(name) for name in ("a/0001.jpg", "a/0002.jpg", "b/0001.jpg"))
    assert first[1:] == second[1:]
    assert first[0] != second[0]
    assert first[1:] != other[1:]
    assert draws("a/0001.jpg", variant=1)[1:] != first[1:], "variants differ"
    assert draws("a/0002.jpg", variant=1)[1:] == draws("a/0001.jpg", variant=1)[1:]


@pytest.mark.parametrize(
    ("by", "together", "apart"),
    [
        ("folder", ["x/y/1.jpg", "x/y/cat.png"], ["x/1.jpg", "x/z/1.jpg", "1.jpg", "x/y/z/1.jpg"]),
        ("folder", ["1.jpg", "2.jpg"], ["x/1.jpg"]),
        (
            "prefix",
            ["clip_0001.jpg", "clip-2.png", "clip 33", "clip"],
            ["clap_0001.jpg", "a/clip_0001.jpg", "clip_0001_b.jpg"],
        ),
        ("prefix", ["a/1.jpg", "a/0002.webp"], ["b/1.jpg", "a/x1.jpg"]),
        ("all", ["a", "b/c", "d/e/f.jpg"], []),
    ],
)
def test_names_say_which_sequence_a_picture_is_of(by: str, together: list[str], apart: list[str]) -> None:
    first = draws(together[0], by=by)[1:]
    for name in together:
        assert draws(name, by=by)[1:] == first
    others = [draws(name, by=by)[1:] for name in apart]
    assert first not in others
    assert len({str(other) for other in others}) == len(others)


def test_keys_that_are_numbers_are_names_of_digits() -> None:
    assert draws(4)[1:] == draws(77)[1:], "both lie in no folder"
    assert plans(Recipe.parse({"steps": [{"op": "same_draws", "steps": INSIDE}]}), 3, [Variant(4, 0, SIZE)])[0].draws == (
        plan(Recipe.parse({"steps": [{"op": "same_draws", "steps": INSIDE}]}), 3, 4, 0, SIZE).draws
    )


def test_sequences_within_sequences_have_their_own_draws() -> None:
    inner = {"op": "same_draws", "by": "all", "steps": [{"op": "hue"}]}
    one, other = (draws(name, [{"op": "rotate"}, inner, {"op": "gamma"}]) for name in ("a/1.jpg", "b/1.jpg"))
    assert [told["op"] for told in one[2:]] == ["rotate", "same_draws", "hue", "gamma"]
    assert one[2] != other[2]
    assert one[3:5] == other[3:5]
    assert one[5] != other[5]


def test_draws_of_pictures_that_are_planned_together_are_those_of_each_alone() -> None:
    steps = [{"op": "same_draws", "steps": INSIDE}, {"op": "gaussian_noise"}]
    recipe = Recipe.parse({"steps": steps})
    names = ["b/1.jpg", "a/1.jpg", "a/2.jpg", "c.jpg"]
    together = plans(recipe, 9, [Variant(item_key(name), 0, SIZE, None, name) for name in names])
    for name, made in zip(names, together, strict=True):
        assert made == plan(recipe, 9, name, 0, SIZE)


def images(outputs: Sequence[Augmented]) -> list[torch.Tensor]:
    found = [output.image for output in outputs]
    assert all(image is not None for image in found)
    return [image for image in found if image is not None]


def test_equal_frames_give_equal_results_noise_included() -> None:
    frame = make_image(*SIZE)
    steps = [
        {
            "op": "same_draws",
            "steps": [{"op": "gaussian_noise"}, {"op": "elastic"}, {"op": "random_crop", "size": [16, 16]}],
        }
    ]
    first, second, other = images(
        augment([frame] * 3, {"steps": steps}, seed=2, keys=["clip/1.png", "clip/2.png", "shot/1.png"])
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    (alone,) = images(augment([frame], {"steps": steps}, seed=2, keys=["clip/2.png"]))
    assert torch.equal(alone, second)


def test_frames_take_the_same_partners_but_none_itself() -> None:
    frames = [make_image(*SIZE, seed=n) for n in range(6)]
    names = [f"clip/{n}.png" for n in range(4)] + ["x.png", "y.png"]
    recipe = {"steps": [{"op": "same_draws", "steps": [{"op": "mosaic", "size": [20, 20]}]}]}
    outputs = augment(frames, recipe, seed=2, keys=names)
    taken = [[one["custom_id"] for one in output.draws[1]["partners"]] for output in outputs[:4]]
    ranked = next(partners for name, partners in zip(names, taken, strict=False) if all(name not in one for one in taken))
    for name, partners in zip(names, taken, strict=False):
        assert name not in partners
        others = [one for one in ranked if one != name]
        assert partners[: len(others)] == others, "nobody but itself is passed over"


def test_steps_outside_draw_as_if_it_were_not_there() -> None:
    around = [{"op": "rotate"}, {"op": "gaussian_noise"}]
    plain = plan(
        Recipe.parse({"steps": [around[0], {"op": "sequence", "steps": INSIDE}, around[1]]}), 1, "a/b.jpg", 0, SIZE
    )
    kept = plan(
        Recipe.parse({"steps": [around[0], {"op": "same_draws", "steps": INSIDE}, around[1]]}), 1, "a/b.jpg", 0, SIZE
    )
    assert [plain.draws[0], plain.draws[-1]] == [kept.draws[0], kept.draws[-1]]
    assert plain.steps[-1].noise_seed == kept.steps[-1].noise_seed
    assert [told["draws"] for told in plain.draws[2:-1]] != [told["draws"] for told in kept.draws[2:-1]]
