"""Profile kornia: the same draws, canvases and labels as the fused profile, run step by step through Kornia."""

from __future__ import annotations

from functools import reduce

import kornia
import numpy as np
import pytest
import torch

from kernels import augment
from kernels.equivalents import EQUIVALENTS
from kernels.errors import RecipeInvalid
from kernels.ops import OPS
from kernels.params import Choice, drawn_fields
from kernels.plan import Plan, plan
from kernels.recipe import Recipe
from kernels.run import run
from kernels.stepwise import kornia_matrix
from kernels.tensors import Size
from tests.helpers.pictures import CPU, Pixels, Steps, make_image, make_photo, make_picture, make_plan
from tests.helpers.recipes import ALONE, COMPOSED, required

CHAIN: Steps = [
    {"op": "rotate", "degrees": [-20, 20], "border": "reflect"},
    {"op": "perspective", "distortion": [0.1, 0.3], "fill": [0.2, 0.4, 0.6]},
    {"op": "color_jitter", "chance": 0.7},
    {"op": "elastic", "chance": 0.7},
    {"op": "random_crop", "size": [90, 100]},
    {"op": "gaussian_noise", "sigma": 0.02},
]


def kornia_plan(steps: Steps, size: tuple[int, int], key: int | str = 0) -> Plan:
    return plan(Recipe.parse({"steps": list(steps), "profile": "kornia"}), 7, key, 0, Size(*size))


def stepped(pixels: Pixels, steps: Steps, key: int | str = 0) -> Pixels:
    result: Pixels = run([kornia_plan(steps, pixels.shape[:2], key)], [make_picture(pixels)], CPU)[0].pixels.numpy()
    return result


# ------------------------------------------------------------------------------------------------ the recipe
def test_the_profile_is_part_of_the_recipe() -> None:
    fused, stepwise = (Recipe.parse({"steps": [{"op": "hflip"}], "profile": name}) for name in ("fused", "kornia"))
    assert Recipe.parse({"steps": [{"op": "hflip"}]}) == fused
    assert fused.digest != stepwise.digest
    assert Recipe.parse(stepwise.document()) == stepwise
    assert stepwise.with_output(fused.output).profile == "kornia"
    assert Recipe.model_json_schema()["properties"]["profile"]["enum"] == ["fused", "kornia"]


@pytest.mark.parametrize("profile", ["torch", "Kornia", "", None, 1, ["kornia"], {"kornia": 1}])
def test_other_profiles_are_refused_with_the_names_of_both(profile: object) -> None:
    with pytest.raises(RecipeInvalid, match="'fused' or 'kornia'") as caught:
        Recipe.parse({"profile": profile}, "/recipe")
    assert caught.value.pointer == "/recipe/profile"


def test_draws_canvases_and_labels_are_the_fused_profiles() -> None:
    photo = make_photo("chelsea", 150, 180)
    labels = {"boxes": {"values": [[20, 30, 90, 100]]}, "keypoints": [{"points": [[60.5, 70.5, 2]]}]}
    for key in range(6):
        fused, stepwise = make_plan(CHAIN, (150, 180), key=key), kornia_plan(CHAIN, (150, 180), key)
        assert (fused.draws, fused.size_out) == (stepwise.draws, stepwise.size_out)
        assert [step.noise_seed for step in fused.steps] == [step.noise_seed for step in stepwise.steps]
        one, other = (run([each], [make_picture(photo, labels)], CPU)[0] for each in (fused, stepwise))
        assert one.labels == other.labels
        assert one.pixels.shape == other.pixels.shape
        assert not torch.equal(one.pixels, other.pixels), "a chain that is read several times has other bytes"


def test_the_library_runs_both_profiles() -> None:
    photo = make_photo("coffee", 80, 90)
    recipe = {"steps": [{"op": "rotate", "degrees": 20}, {"op": "shear"}], "profile": "kornia"}
    one, other = augment([photo, photo], recipe, seed=3, keys=["a", "a"])
    assert one.image is not None
    assert other.image is not None
    assert torch.equal(one.image, other.image)


# ------------------------------------------------------------------------------------------------ the table
def test_the_table_names_operations_and_functions_that_exist() -> None:
    assert set(EQUIVALENTS) <= set(OPS)
    for name, equivalent in EQUIVALENTS.items():
        assert not OPS[name].moves_labels, f"{name} is given to Kornia by its kind"
        for path in equivalent.names:
            assert callable(reduce(getattr, path.split("."), kornia)), path


# ------------------------------------------------------------------------------------------------ moving
def test_every_geometric_step_reads_the_picture_anew() -> None:
    photo = make_photo("astronaut", 200, 220)
    steps = [{"op": "rotate", "degrees": 25}, {"op": "shear", "x": 10}, {"op": "rotate", "degrees": -20}]
    by_hand = photo
    for step in steps:
        by_hand = stepped(by_hand, [step])
    # by hand it is rounded three times instead of once
    assert np.abs(stepped(photo, steps).astype(int) - by_hand).max() <= 2


def test_kornia_is_given_pixel_centres() -> None:
    # half a pixel to the right is half a pixel in either convention; twice the size is not
    assert kornia_matrix((1, 0, 0.5, 0, 1, 0, 0, 0, 1), torch.zeros(1))[0, 0].tolist() == [1, 0, 0.5]
    assert kornia_matrix((2, 0, 0, 0, 2, 0, 0, 0, 1), torch.zeros(1))[0, 0].tolist() == [2, 0, 0.5]


@pytest.mark.parametrize(
    ("border", "mode"), [("replicate", "edge"), ("reflect", "symmetric"), ("wrap", "wrap"), ("constant", "constant")]
)
def test_borders_hold_what_they_say(border: str, mode: str) -> None:
    pixels = make_image(23, 31)
    around = {"left": 5, "top": 9, "right": 20, "bottom": 0}
    framed = stepped(pixels, [{"op": "pad", **around, "border": border}])
    assert np.array_equal(framed, np.pad(pixels, ((9, 0), (5, 20), (0, 0)), mode=mode))  # type: ignore[call-overload]  # a mode by name


def test_outside_shows_the_steps_own_fill() -> None:
    steps = [
        {"op": "translate", "x": 0.5, "y": 0, "fill": [1, 0, 0]},
        {"op": "translate", "x": 0, "y": 0.5, "fill": [0, 0, 1]},
        {"op": "elastic", "alpha": 0.0, "border": "constant", "fill": [0, 1, 0]},
    ]
    found = stepped(np.full((20, 20, 3), 255, np.uint8), steps)
    assert [found[y, x].tolist() for y, x in ((5, 15), (15, 5), (15, 15))] == [[0, 0, 255], [255, 0, 0], [255] * 3]


def test_nothing_is_smoothed_where_it_shrinks() -> None:
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, ::2] = 255
    # every fifth column is read, and never the mean of five
    assert set(np.unique(stepped(stripes, [{"op": "resize", "size": [40, 8]}]))) <= {0, 255}


def test_alpha_moves_with_the_picture_and_nothing_else_touches_it() -> None:
    pixels = make_image(20, 30, channels=4)
    steps = [{"op": "brightness", "factor": 0.5}, {"op": "translate", "x": 0, "y": 0, "x_pixels": 4, "fill": [1, 1, 1]}]
    result = stepped(pixels, steps)
    assert np.array_equal(result[:, 4:, 3], pixels[:, :-4, 3])
    assert not result[:, :4, 3].any()
    assert (result[:, :4, :3] == 255).all()


def test_values_are_rounded_once_and_clamped_after_every_step() -> None:
    lift = {"op": "brightness", "factor": 1.0, "offset": 0.25 / 255}
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert (stepped(grey, [lift, {"op": "hflip"}, lift, {"op": "invert"}, {"op": "invert"}, lift, lift]) == 101).all()
    over = [{"op": "brightness", "factor": 2.0, "offset": 0.0}, {"op": "brightness", "factor": 0.5, "offset": 0.0}]
    assert stepped(np.full((4, 4, 3), 200, np.uint8), over).max() == 128


def test_no_steps_give_a_copy_of_the_picture_back() -> None:
    picture = make_picture(make_image())
    result = run([kornia_plan([], picture.size)], [picture], CPU)[0].pixels
    assert torch.equal(result, picture.pixels)
    assert result.data_ptr() != picture.pixels.data_ptr()


# ------------------------------------------------------------------------------------------------ what Kornia cannot do
@pytest.mark.parametrize(
    "step",
    [
        {"op": "gaussian_blur", "sigma": 5},
        {"op": "box_blur", "size": 40},
        {"op": "percentile_filter", "percentile": 50, "size": 5},
    ],
)
def test_a_window_beyond_the_picture_is_refused_at_plan_time(step: dict[str, object]) -> None:
    steps = [{"op": "hflip"}, step]
    small = (2, 300)
    with pytest.raises(RecipeInvalid, match="shorter side, 2") as caught:
        kornia_plan(steps, small)
    assert caught.value.pointer == "/steps/1"
    assert make_plan(steps, small).size_out == small, "the fused profile goes on with the mirror image of the mirror image"
    assert kornia_plan([{"op": "resize", "size": [90, 90]}, *steps], small).size_out == (90, 90)
    # and a step that is skipped asks for nothing
    assert kornia_plan([{**step, "chance": 0.0}], small).steps == ()


@pytest.mark.parametrize("side", [2, 3, 9, 24])
def test_the_largest_window_that_is_allowed_runs(side: int) -> None:
    pixels = make_image(side, side)
    widest = {"op": "box_blur", "size": 2 * side - 1}
    assert stepped(pixels, [widest]).shape == pixels.shape
    with pytest.raises(RecipeInvalid):
        kornia_plan([{"op": "box_blur", "size": 2 * side}], (side, side))


@pytest.mark.parametrize("name", [op.name for op in (*ALONE, *COMPOSED)])
def test_the_ends_of_every_range_run_on_the_smallest_pictures(name: str) -> None:
    """Nothing that a recipe may hold makes Kornia itself complain."""
    for place in (0, -1):
        ends = {
            field: kind.names[place] if isinstance(kind, Choice) else (kind.minimum, kind.maximum)[place]
            for field, kind in drawn_fields(OPS[name].params)
        }
        for shape in ((1, 1), (1, 23), (23, 1), (2, 2), (3, 5)):
            try:
                planned = kornia_plan([{**required(OPS[name]), "op": name, **ends}], shape)
            except RecipeInvalid:
                continue  # a window beyond the picture
            result = run([planned], [make_picture(make_image(*shape))], CPU)[0]
            assert result.size == planned.size_out
