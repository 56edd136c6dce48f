"""run: one result, one cause. Neighbours, order, threads and the shape of the call change nothing."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from kernels.cpu import execute, machine
from kernels.ops import OPS
from kernels.plan import Plan
from kernels.run import prepared, run
from kernels.stages import stages
from kernels.tensors import Picture
from tests.helpers.pictures import CPU, Steps, made, make_image, make_photo, make_picture, make_plan
from tests.helpers.recipes import required

STRONG: Steps = [
    {"op": "random_resized_crop", "size": [96, 112], "scale": [0.4, 1.0]},
    {"op": "hflip", "chance": 0.5},
    {"op": "rotate", "degrees": [-20, 20]},
    {"op": "elastic", "chance": 0.5},
    {"op": "color_jitter", "chance": 0.8},
    {"op": "gaussian_noise", "chance": 0.5},
    {"op": "gaussian_blur", "chance": 0.5},
    {"op": "perspective", "chance": 0.5},
    {"op": "cutout", "chance": 0.5},
]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def crowd() -> tuple[list[Plan], list[Picture]]:
    """Pictures of many sizes, several variants of each."""
    pixels = [
        make_photo("astronaut", 300, 350),
        make_photo("chelsea"),
        make_photo("coffee", 101, 257),
        make_image(1, 1),
        make_image(1, 90, seed=1),
        make_image(77, 3, seed=2),
        make_image(64, 64, seed=3),
    ]
    plans = [make_plan(STRONG, p.shape[:2], 7, f"{n}", v) for n, p in enumerate(pixels) for v in range(3)]
    pictures = [make_picture(p) for p in pixels]
    return plans, [pictures[place // 3] for place in range(len(plans))]


def digests(pictures: list[Picture]) -> list[str]:
    return [hashlib.sha256(picture.pixels.numpy().tobytes()).hexdigest() for picture in pictures]


def test_alone_in_a_crowd_and_shuffled_are_the_same_bytes(threads: None) -> None:
    plans, pictures = crowd()
    torch.set_num_threads(1)
    together = digests(run(plans, pictures, CPU))
    assert len(set(together)) == len(together)
    order = list(range(len(plans)))
    random.Random(3).shuffle(order)
    shuffled = digests(run([plans[i] for i in order], [pictures[i] for i in order], CPU))
    assert [together[i] for i in order] == shuffled
    torch.set_num_threads(2)
    alone = [digests(run([plan], [picture], CPU))[0] for plan, picture in zip(plans, pictures, strict=True)]
    assert alone == together
    assert torch.get_num_threads() == 2, "the caller's setting is put back"


def test_pictures_are_not_touched_and_not_shared() -> None:
    plans, pictures = crowd()
    before = digests(pictures)
    results = run(plans, pictures, CPU)
    results += run([make_plan([], (64, 64))], [pictures[-1]], CPU)
    for result in results:
        result.pixels.zero_()
    assert digests(pictures) == before


def test_no_steps_give_the_picture_back() -> None:
    pixels = make_image()
    assert np.array_equal(made(pixels, []), pixels)


@pytest.mark.parametrize("op", ["invert", "hflip", "gaussian_blur"])
def test_values_are_rounded_once(op: str) -> None:
    # a quarter of a level four times is one level; rounded after each step it would be nothing
    grey = np.full((8, 8, 3), 100, dtype=np.uint8)
    lift = {"op": "brightness", "factor": 1.0, "offset": 0.25 / 255}
    between = [{"op": op}, {"op": op}] if op == "invert" else [{"op": op}]
    assert made(grey, [lift, lift, *between, lift, lift]).tolist() == np.full((8, 8, 3), 101).tolist()


def test_values_are_clamped_after_every_step() -> None:
    bright = np.full((4, 4, 3), 200, dtype=np.uint8)
    steps = [{"op": "brightness", "factor": 2.0, "offset": 0.0}, {"op": "brightness", "factor": 0.5, "offset": 0.0}]
    assert made(bright, steps).max() == 128


def test_alpha_moves_with_the_picture_and_nothing_else_touches_it() -> None:
    pixels = make_image(20, 30, channels=4)
    steps = [{"op": "brightness", "factor": 0.5}, {"op": "translate", "x": 0, "y": 0, "x_pixels": 4, "fill": [1, 1, 1]}]
    result = made(pixels, steps)
    assert np.array_equal(result[:, 4:, 3], pixels[:, :-4, 3])
    assert not result[:, :4, 3].any()
    turned = made(pixels, [{"op": "rotate", "degrees": 30}])
    assert turned[0, 0].tolist() == [0, 0, 0, 0]


@pytest.mark.skipif(not machine.is_able(), reason="this CPU has no compiled kernels")
@pytest.mark.parametrize("channels", [3, 4])
def test_plans_that_are_prepared_make_the_bytes_of_pass_after_pass(channels: int) -> None:
    pixels = torch.from_numpy(make_image(40, 56, channels))
    crop, turn = {"op": "random_crop", "size": [20, 30]}, {"op": "rotate", "degrees": 9}
    colours: Steps = [{"op": "color_jitter"}, {"op": "gaussian_blur"}]
    recipes: list[Steps] = [[], STRONG, [crop], [crop, *colours], [turn, *colours], [*colours, crop]]
    for steps in recipes:
        plans = [make_plan(steps, (40, 56), seed=seed) for seed in range(4)]
        ready = prepared(plans, CPU)
        assert [each.draws for each in ready] == [each.draws for each in plans]
        results = run(ready, [Picture(pixels)] * len(plans), CPU)
        for plan, result in zip(plans, results, strict=True):
            assert torch.equal(result.pixels, execute.computed(stages(plan), pixels)), steps


def test_a_plan_for_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="plan is for"):
        run([make_plan([], (8, 9))], [make_picture(make_image(9, 8))], CPU)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (0, 4, 3), (1, 4, 4, 3)])
def test_a_picture_checks_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        Picture(torch.zeros(shape, dtype=torch.uint8))
    with pytest.raises(ValueError, match="a picture is"):
        Picture(torch.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="a picture is"):
        Picture(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="a picture is"):
        Picture(np.zeros((4, 4, 3), np.float32))


def test_a_picture_is_an_array_and_a_tensor_in_the_same_memory() -> None:
    levels, image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3), torch.arange(24, dtype=torch.uint8).view(2, 4, 3)
    for picture in (Picture(levels), Picture(image)):
        assert picture.size == (2, 4)
        assert torch.equal(picture.pixels, image)
        np.testing.assert_array_equal(picture.levels, levels)
        assert picture.pixels.data_ptr() == picture.levels.ctypes.data


def test_draws_tell_everything_that_happened() -> None:
    plan = make_plan(STRONG, (300, 350), key="cat.jpg")
    assert [(draw["step"], draw["op"]) for draw in plan.draws] == [(n, step["op"]) for n, step in enumerate(STRONG)]
    assert json.loads(json.dumps(plan.draws)) == list(plan.draws)
    assert {draw["step"] for draw in plan.draws if draw["applied"]} == {step.number for step in plan.steps}
    # every drawn number, given back as a fixed value, repeats the picture
    photo = make_photo("astronaut", 300, 350)
    again = [
        {**step, **draw["draws"], "chance": float(draw["applied"])} for step, draw in zip(STRONG, plan.draws, strict=True)
    ]
    assert np.array_equal(made(photo, STRONG, key="cat.jpg"), made(photo, again, key="cat.jpg"))


def test_every_op_in_a_few_recipes() -> None:
    steps = [{"op": name, **required(op)} for name, op in OPS.items()]
    for some in (steps[first::8] for first in range(8)):
        assert made(make_photo("rocket", 200, 200), some).shape[2] == 3
        assert made(make_image(1, 1), some).shape[2] == 3


def test_cuda_gives_the_same_chain() -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    plans, pictures = crowd()
    for ours, theirs in zip(run(plans, pictures, CPU), run(plans, pictures, torch.device("cuda")), strict=True):
        off = (ours.pixels.int() - theirs.pixels.int()).abs()
        assert (off <= 1).float().mean() >= 0.995
