"""The CUDA backend's kernels, run on the CPU by Triton's interpreter, against the compiled kernels of the CPU backend."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from kernels import run as runs
from kernels.cuda import execute
from kernels.cuda.arena import Arena
from kernels.op import Op, Statistic, Whole
from kernels.ops import OPS
from kernels.plan import Plan, plan
from kernels.recipe import Recipe
from kernels.run import run
from kernels.stages import Painting, stages
from kernels.tensors import Picture, Size
from tests.helpers.pictures import CPU, Steps, make_image, make_photo, make_picture, make_plan
from tests.helpers.recipes import ALONE, COMPOSED, MOVING, any_step
from tests.unit.kernels.test_cpu_backend import CHAINS, EXACT

PICTURES = {"photo": make_photo("astronaut", 60, 83), "noise": make_image(47, 33)}
SHAPES = [(1, 1), (1, 2), (1, 30), (30, 1), (2, 3), (5, 3), (40, 2)]
BORDERS = ("constant", "replicate", "reflect", "wrap")


def interpreted(plans: Sequence[Plan], pictures: Sequence[torch.Tensor], arena: Arena | None = None) -> list[torch.Tensor]:
    """All in one micro-batch."""
    return execute.computed([stages(planned) for planned in plans], pictures, CPU, arena)


def agree(plans: Sequence[Plan], pictures: Sequence[torch.Tensor], names: Sequence[str]) -> None:
    """Within a level on 99.5 % of the values of each picture, and equal where pixels only change places."""
    expected = run(plans, [Picture(pixels) for pixels in pictures], CPU)
    for found, other, name in zip(interpreted(plans, pictures), expected, names, strict=True):
        assert found.shape == other.pixels.shape, name
        off = (found.int() - other.pixels.int()).abs()
        assert (off <= 1).float().mean() >= 0.995 or (off > 1).sum() <= 3, f"{name}: {(off > 1).float().mean():.2%} off"
        assert name not in EXACT or not off.any(), name


def examples(sizes: Sequence[tuple[int, int]]) -> list[tuple[str, Plan]]:
    return [
        (name, plan(Recipe(steps=(example,)), 7, 3, 1, Size(*size)))
        for size in sizes
        for name, op in ((op.name, op) for op in (*ALONE, *COMPOSED))
        for example in op.examples
        if getattr(example, "size", None) is None or max(np.ravel(example.size)) <= 128  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("picture", PICTURES)
def test_every_op_agrees(picture: str) -> None:
    pixels = torch.from_numpy(PICTURES[picture])
    made = examples([(pixels.shape[0], pixels.shape[1])])
    agree([planned for _, planned in made], [pixels] * len(made), [name for name, _ in made])


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_every_shape_agrees(height: int, width: int) -> None:
    made = examples([(height, width)])
    pixels = torch.from_numpy(make_image(height, width))
    agree([planned for _, planned in made], [pixels] * len(made), [name for name, _ in made])


def test_every_chain_agrees() -> None:
    small = {
        name: steps for name, steps in CHAINS.items() if name not in ("the_reference_pipeline", "shrunk_along_one_side")
    }
    names = [f"{name} of {picture}" for name in small for picture in PICTURES]
    pixels = [torch.from_numpy(pixels) for _ in small for pixels in PICTURES.values()]
    plans = [make_plan(steps, each.shape[:2], seed=2) for steps in small.values() for each in PICTURES.values()]
    agree(plans, pixels, names)


@pytest.mark.parametrize("border", BORDERS)
def test_every_border_agrees(border: str) -> None:
    common = {"border": border, "fill": [0.9, 0.1, 0.4]}
    moves: list[Steps] = [
        [{"op": "translate", "x": 0.7, "y": -0.6, **common}, {"op": "rotate", "degrees": 20, **common}],
        [{"op": "perspective", "distortion": 0.6, **common}, {"op": "shear", **common}],
        [{"op": "elastic", "alpha": 0.1, **common}, {"op": "affine", "scale": 0.6, "degrees": 8, **common}],
        [{"op": "affine", "scale": 0.3, "degrees": 8, **common}, {"op": "invert"}],
        [{"op": "hue", "turn": 0.1}, {"op": "affine", "scale": 0.3, "degrees": 8, **common}],
    ]
    pixels = torch.from_numpy(PICTURES["photo"])
    plans = [make_plan(steps, (60, 83), seed=5) for steps in moves]
    agree(plans, [pixels] * len(plans), [f"{border} {number}" for number in range(len(plans))])


def test_random_chains_agree_in_one_batch() -> None:
    rng = random.Random(3)
    plans, pictures = [], []
    for number in range(24):
        size = rng.choice([(1, 1), (1, 50), (50, 1), (40, 60), (77, 20)])
        steps = [any_step(rng, rng.choice(MOVING)) for _ in range(rng.randint(1, 4))]
        steps.insert(rng.randrange(len(steps) + 1), {"op": rng.choice(["contrast", "hue", "gaussian_blur"])})
        plans.append(make_plan(steps, size, seed=number))
        pictures.append(torch.from_numpy(np.ascontiguousarray(make_photo("coffee", *size))))
    agree(plans, pictures, [f"recipe {number}" for number in range(24)])


def test_alpha_agrees() -> None:
    pixels = torch.from_numpy(make_image(40, 55, channels=4))
    steps: Steps = [{"op": "rotate", "degrees": 20, "fill": [1, 1, 1]}, {"op": "gaussian_blur"}, {"op": "hflip"}]
    plans = [make_plan(steps, (40, 55)), make_plan(steps[:1], (40, 55)), make_plan([{"op": "contrast"}], (40, 55))]
    agree(plans, [pixels] * 3, ["moved twice", "moved", "painted"])
    assert torch.equal(interpreted(plans[2:], [pixels])[0][..., 3], pixels[..., 3])


def mixed() -> tuple[list[Plan], list[torch.Tensor]]:
    recipes: list[Steps] = [
        [{"op": "color_jitter"}],
        [{"op": "rotate", "degrees": 9}, {"op": "gaussian_noise"}],
        [{"op": "resize", "size": [9, 20]}, {"op": "gaussian_blur"}, {"op": "contrast"}],
        [{"op": "edge_enhance"}, {"op": "elastic"}],
        [],
        [{"op": "contrast", "factor": 2}, {"op": "contrast", "factor": 0.5}, {"op": "hflip"}],
    ]
    sizes = [(40, 61), (64, 33), (51, 90), (1, 1), (7, 9), (30, 100)]
    plans = [make_plan(steps, size, key=key) for key, (steps, size) in enumerate(zip(recipes, sizes, strict=True))]
    return plans, [torch.from_numpy(make_image(*size, seed=key)) for key, size in enumerate(sizes)]


def test_neighbours_change_nothing() -> None:
    plans, pictures = mixed()
    together = interpreted(plans, pictures)
    alone = [interpreted([planned], [pixels])[0] for planned, pixels in zip(plans, pictures, strict=True)]
    order = [3, 0, 5, 1, 4, 2]
    shuffled = interpreted([plans[place] for place in order], [pictures[place] for place in order])
    for place, pixels in enumerate(alone):
        assert torch.equal(together[place], pixels), place
        assert torch.equal(shuffled[order.index(place)], pixels), place


def test_every_value_of_a_result_is_written_and_no_other_is_read() -> None:
    plans, pictures = mixed()
    results = []
    for poison in (0, 255):
        arena = Arena(CPU, 1, 1 << 22)
        with arena.slot() as slot:
            slot.reserve(1 << 22, 1 << 22)
            slot.host.fill_(poison)
            slot.device.fill_(poison)
        results.append(interpreted(plans, pictures, arena))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_results_share_nothing_with_pictures_or_later_batches() -> None:
    plans, pictures = mixed()
    before = [pixels.clone() for pixels in pictures]
    results = interpreted(plans, pictures)
    kept = [result.clone() for result in results]
    interpreted(plans[::-1], pictures[::-1])
    assert all(torch.equal(one, other) for one, other in zip(results, kept, strict=True))
    for result in results:
        result.fill_(0)
    assert all(torch.equal(one, other) for one, other in zip(pictures, before, strict=True))


def test_numbers_that_the_host_measures_reach_the_kernel() -> None:
    contrast = OPS["contrast"]
    assert isinstance(contrast.kind, Statistic)
    measured = Op(contrast.params, Statistic(lambda r, g, b: (0.25,), ("grey",), contrast.kind.function), contrast.examples)
    step = make_plan([{"op": "invert"}, {"op": "contrast", "factor": 2}], (20, 30)).steps
    changed = step[1]._replace(op=measured)
    pixels = torch.from_numpy(make_image(20, 30))
    (found,) = execute.computed([[Painting((step[0], changed))]], [pixels], CPU)
    fractions = 1.0 - pixels.float() / 255.0
    expected = (fractions * 2.0 - 0.25).clamp(0.0, 1.0).mul(255.0)
    assert (found.float() - expected).abs().max() <= 0.51


def test_whole_functions_run_on_the_planes() -> None:
    invert = OPS["invert"]
    turned = Op(invert.params, Whole(lambda image: image.flip(3)), invert.examples)
    step = make_plan([{"op": "invert"}], (9, 14)).steps[0]._replace(op=turned)
    pixels = torch.from_numpy(make_image(9, 14))
    (found,) = execute.computed([[Painting((step,))]], [pixels], CPU)
    assert torch.equal(found, pixels.flip(1))


def test_labels_follow_and_wrong_sizes_are_refused() -> None:
    labels = {"boxes": {"values": [[5, 6, 20, 30]]}}
    picture = make_picture(make_image(40, 55), labels)
    planned = make_plan([{"op": "hflip"}, {"op": "contrast"}], (40, 55))
    (found,), (expected,) = runs._together([planned], [picture], [None], CPU), run([planned], [picture], CPU)
    assert found.labels == expected.labels
    assert found.labels is not None
    with pytest.raises(ValueError, match="the plan is for a picture"):
        runs._together([make_plan([], (4, 5))], [picture], [None], CPU)


def test_an_empty_batch_and_a_plan_without_steps() -> None:
    assert interpreted([], []) == []
    pixels = torch.from_numpy(make_image(4, 5))
    (same,) = interpreted([make_plan([], (4, 5))], [pixels])
    assert torch.equal(same, pixels)
    assert same.data_ptr() != pixels.data_ptr()


def test_a_gpu_gives_the_interpreters_bytes() -> None:
    if not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    device = torch.device("cuda")
    pixels = torch.from_numpy(PICTURES["photo"])
    # what torch or Kornia does between the kernels is theirs
    ours = [(name, planned) for name, planned in examples([(60, 83)]) if OPS[name].kind_name not in ("stencil", "whole")]
    plans, pictures = [planned for _, planned in ours], [pixels] * len(ours)
    found = execute.computed([stages(planned) for planned in plans], pictures, device)
    for (name, _), one, other in zip(ours, found, interpreted(plans, pictures), strict=True):
        assert torch.equal(one, other), name
    # a second micro-batch in the same memory, and one beside it
    again = execute.computed([stages(planned) for planned in plans[::-1]], pictures, device)[::-1]
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))
