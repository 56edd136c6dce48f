"""Steps on parts of a picture: patches, channels, regions; and what may not stand in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels import augment
from kernels.errors import RecipeInvalid
from kernels.explain import explain
from kernels.recipe import Recipe
from kernels.tensors import Size
from tests.helpers.pictures import Pixels, labels_of, made, make_image, make_plan

PICTURE = make_image(48, 60)
BLURRED = {"op": "gaussian_blur", "sigma": 2}


def test_patches_are_pictures_of_their_own() -> None:
    steps: list[dict[str, Any]] = [{"op": "equalize"}, BLURRED, {"op": "vignetting"}]
    for step in steps:
        result = made(PICTURE, [{"op": "patchwise", "grid": [3, 4], "same": True, "steps": [step]}])
        fixed = drawn(step)
        for top in range(0, 48, 16):
            for left in range(0, 60, 15):
                patch = np.ascontiguousarray(PICTURE[top : top + 16, left : left + 15])
                assert np.array_equal(result[top : top + 16, left : left + 15], made(patch, [fixed]))


def drawn(step: dict[str, Any]) -> dict[str, Any]:
    """The step inside a part, with the numbers that it draws there."""
    plan = make_plan([{"op": "patchwise", "grid": [3, 4], "same": True, "steps": [step]}], PICTURE.shape[:2])
    return {"op": step["op"], **plan.draws[1]["draws"]}


def test_each_patch_has_draws_of_its_own() -> None:
    plan = make_plan([{"op": "patchwise", "grid": [2, 3], "steps": [{"op": "brightness"}, {"op": "hue"}]}], (48, 60))
    assert len(plan.draws) == 1 + 6 * 2
    assert len({told["draws"]["factor"] for told in plan.draws if told["op"] == "brightness"}) == 6
    (step,) = plan.steps
    assert [[one.number for one in chain] for chain in step.chains] == [[n, n + 1] for n in range(1, 13, 2)]


def test_patches_of_a_picture_that_is_smaller_than_the_grid() -> None:
    for shape in ((1, 1), (1, 7), (3, 2)):
        pixels = make_image(*shape)
        result = made(pixels, [{"op": "patchwise", "grid": [4, 4], "steps": [{"op": "invert"}]}])
        assert np.array_equal(result, 255 - pixels)


def test_noise_differs_from_patch_to_patch_but_where_all_are_the_same() -> None:
    grey = np.full((40, 40, 3), 128, np.uint8)
    noise = {"op": "gaussian_noise", "sigma": 0.2}
    for same in (True, False):
        result = made(grey, [{"op": "patchwise", "grid": [2, 2], "same": same, "steps": [noise]}])
        assert np.array_equal(result[:20, :20], result[20:, 20:]) is same


def test_chosen_channels_are_those_of_the_steps_result() -> None:
    steps = [{"op": "posterize", "bits": 2}, {"op": "hue", "turn": 0.3}]
    whole = made(PICTURE, steps)
    for chosen in (["red"], ["blue", "green"], ["red", "green", "blue"]):
        result = made(PICTURE, [{"op": "channel_subset", "channels": chosen, "steps": steps}])
        for place, name in enumerate(("red", "green", "blue")):
            assert np.array_equal(result[..., place], (whole if name in chosen else PICTURE)[..., place])


def test_a_region_shows_the_steps_and_the_rest_the_picture() -> None:
    blurred = made(PICTURE, [BLURRED])
    box = {"shape": "rectangle", "height": 0.5, "width": 0.5, "x": 0, "y": 1}
    inside, outside = (
        made(PICTURE, [{"op": "region_limited", "side": side, **box, "steps": [BLURRED]}]) for side in ("inside", "outside")
    )
    region = np.zeros((48, 60, 1), bool)
    region[24:, :30] = True
    assert np.array_equal(inside, np.where(region, blurred, PICTURE))
    assert np.array_equal(outside, np.where(region, PICTURE, blurred))


def test_a_region_of_objects_is_theirs_alone() -> None:
    boxes = [[5, 5, 20, 15], [30, 20, 50, 40]]
    labels = {"boxes": {"values": boxes, "classes": ["car", "face"]}}
    step = {"op": "region_limited", "shape": "objects", "classes": ["face"], "steps": [{"op": "pixelate", "size": 8}]}
    (output,) = augment([PICTURE], {"steps": [{"op": "hflip"}, step]}, seed=1, labels=[labels])
    assert output.image is not None
    changed = (output.image.numpy() != PICTURE[:, ::-1]).any(axis=2)
    assert changed[20:40, 10:30].mean() > 0.95
    changed[20:40, 10:30] = False
    assert not changed.any()
    assert output.draws[1]["aimed"] == {"region": "objects", "objects": 1}
    assert output.labels is not None
    assert output.labels.boxes is not None
    assert output.labels.boxes.values == ((40, 5, 55, 15), (10, 20, 30, 40))


def test_a_region_of_no_objects_is_a_rectangle_without_labels_and_nothing_with_some() -> None:
    step = {"op": "region_limited", "shape": "objects", "steps": [{"op": "invert"}]}
    for labels, changes in ((None, True), ({"boxes": {"values": []}}, False)):
        (output,) = augment([PICTURE], {"steps": [step]}, seed=1, labels=[labels])
        assert output.image is not None
        assert bool((output.image.numpy() != PICTURE).any()) is changes


def test_containers_and_blends_stand_in_parts_and_parts_in_containers() -> None:
    inside = [{"op": "one_of", "steps": [{"op": "invert"}, {"op": "solarize"}]}, {"op": "aug_mix"}]
    patches = {"op": "patchwise", "grid": [2, 2], "steps": inside}
    steps = [{"op": "some_of", "n": 2, "steps": [patches, {"op": "hflip"}]}]
    plan = make_plan(steps, PICTURE.shape[:2])
    told = {one["step"]: one for one in plan.draws}
    assert len(told) == len(plan.draws) == 2 + 4 * 4 + 1
    chosen = [told[number]["taken"] for number in told if told[number]["op"] == "one_of"]
    assert all(told[number]["applied"] for (number,) in chosen)
    assert len({told[number]["op"] for (number,) in chosen}) == 2, "each patch draws its own"
    assert made(PICTURE, steps).shape == PICTURE.shape
    nested = {"op": "channel_subset", "channels": ["red"], "steps": [{**patches, "steps": [{"op": "invert"}]}]}
    assert np.array_equal(made(PICTURE, [nested])[..., 0], 255 - PICTURE[..., 0])


@pytest.mark.parametrize("op", ["patchwise", "channel_subset", "region_limited"])
@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ({"op": "hflip"}, "hflip moves pixels"),
        ({"op": "one_of", "steps": [{"op": "invert"}, {"op": "random_crop"}]}, "random_crop moves pixels"),
        ({"op": "rand_augment"}, "rand_augment moves pixels"),
        ({"op": "mixup"}, "mixup mixes pictures"),
        ({"op": "label_aware_dropout"}, "label_aware_dropout looks at labels"),
        ({"op": "region_limited", "steps": [{"op": "invert"}]}, "region_limited looks at labels"),
    ],
)
def test_steps_that_do_more_than_change_colours_are_refused(op: str, inside: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeInvalid, match=says) as caught:
        Recipe.parse({"steps": [{"op": "invert"}, {"op": op, "steps": [inside]}]})
    assert caught.value.pointer == "/steps/1/steps"


def test_patches_count_toward_the_steps_of_a_recipe() -> None:
    with pytest.raises(RecipeInvalid, match="more than 64 steps"):
        Recipe.parse({"steps": [{"op": "patchwise", "grid": [8, 8], "steps": [{"op": "invert"}]}]})
    Recipe.parse({"steps": [{"op": "patchwise", "grid": [8, 8], "same": True, "steps": [{"op": "invert"}]}]})


def test_transparency_stays() -> None:
    pixels = make_image(20, 30, channels=4)
    recipe = {
        "steps": [{"op": "patchwise", "grid": [2, 2], "steps": [{"op": "invert"}]}],
        "output": {"format": "png", "alpha": "keep"},
    }
    (output,) = augment([pixels], recipe, seed=1)
    assert output.image is not None
    assert np.array_equal(output.image, np.concatenate([255 - pixels[..., :3], pixels[..., 3:]], axis=2))


def test_parts_are_explained_as_a_stage_of_their_own() -> None:
    steps = [{"op": "hflip"}, {"op": "patchwise", "grid": [2, 2], "steps": [{"op": "gaussian_blur"}]}, {"op": "invert"}]
    document = explain(Recipe.parse({"steps": steps}), Size(64, 64))
    stages = {stage["ops"][0]: stage for stage in document["stages"] if stage["ops"]}
    assert stages["patchwise"]["does"] == "steps of its own, on 4 parts of the planes"
    dear = explain(Recipe.parse({"steps": [{**steps[1], "steps": [{"op": "percentile_filter"}]}]}), Size(64, 64))
    assert dear["cost"]["pixels_us"] > 2 * document["cost"]["pixels_us"]
    looking = [{"op": "region_limited", "steps": [{"op": "invert"}]}, {"op": "box_safe_crop"}]
    told = explain(Recipe.parse({"steps": looking}), Size(64, 64))["looks"]
    assert [(one["step"], one["op"]) for one in told] == [(0, "region_limited"), (2, "box_safe_crop")]


def test_results_do_not_depend_on_what_stands_beside_them() -> None:
    recipe = {"steps": [{"op": "patchwise", "steps": [{"op": "color_jitter"}, {"op": "gaussian_noise"}]}]}
    pictures: list[Pixels] = [make_image(20 + n, 31, seed=n) for n in range(3)]
    labels = [labels_of(Size(*pixels.shape[:2])) for pixels in pictures]
    together = augment(pictures, recipe, seed=4, keys=["a", "b", "c"], labels=labels)
    for place, key in enumerate("abc"):
        (alone,) = augment([pictures[place]], recipe, seed=4, keys=[key], labels=[labels[place]])
        assert np.array_equal(alone.image, together[place].image)  # type: ignore[arg-type]
        assert alone.labels == together[place].labels
