"""Output pixels that are read several times: which chains do so, and that every backend reads the same."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.kernels.pictures import REFERENCE_PIPELINE
from benchmarks.truth import followed
from kernels.chain import chain, numbers
from kernels.cpu.itinerary import itinerary
from kernels.cpu.outline import outlined
from kernels.cuda import execute
from kernels.explain import explain
from kernels.plan import Plan, plan
from kernels.readings import asides, often, smoothing
from kernels.recipe import Recipe
from kernels.route import Boxes, Links
from kernels.run import run, run_reference
from kernels.stages import Chain, stages
from kernels.tensors import Size
from kernels.warp import moved_classes
from tests.helpers.pictures import CPU, Pixels, make_image, make_photo, make_picture, make_plan
from tests.helpers.recipes import Step

TURN: Step = {"op": "rotate", "degrees": 20}
LEAN: Step = {"op": "shear", "x": 10, "y": 4}
BEND: Step = {"op": "elastic"}


def to(height: int, width: int) -> Step:
    return {"op": "resize", "size": [height, width]}


def scaled(scale: float, degrees: float = 0.0) -> Step:
    return {"op": "affine", "degrees": degrees, "scale": scale, "shear_x": 0}


def readings(links: Links) -> tuple[int, int]:
    """How often an output pixel is read along its row and its column."""
    aside, off = asides(links)
    return often(aside), often(off)


CHAINS: list[tuple[str, list[Step], tuple[int, int]]] = [
    ("turned, then halved", [TURN, to(60, 80)], (2, 2)),
    ("leaned, then to a little more than a half", [LEAN, to(70, 95)], (2, 2)),
    ("bent, then halved", [BEND, to(60, 80)], (2, 2)),
    ("halved in one direction", [TURN, to(120, 80)], (2, 1)),
    ("halved in the other", [TURN, to(60, 160)], (1, 2)),
    ("whole pixels moved before and after", [{"op": "hflip"}, TURN, to(60, 80), {"op": "crop", "left": 3}], (2, 2)),
    ("turned again as it shrinks", [LEAN, scaled(0.55, 9)], (2, 2)),
    ("scaled, then to less than it was", [scaled(1.23), to(60, 80)], (2, 2)),
    ("enlarged, then to a little less than it was", [scaled(1.6), to(60, 80)], (2, 2)),
    ("enlarged, then to what it was", [scaled(1.9), to(60, 80)], (1, 1)),
    ("resized, then halved in the direction in which boxes are exact", [to(100, 160), to(100, 80)], (1, 1)),
    ("resized, then by more, exact in one direction", [to(100, 160), to(62, 80)], (1, 2)),
    ("shrunk, then halved", [scaled(0.6), to(60, 80)], (2, 2)),
    ("shrunk, turned, then halved in one direction", [to(60, 80), TURN, to(60, 40)], (2, 2)),
    ("shrunk by much, then halved", [scaled(0.2, 5), to(60, 80)], (2, 2)),
    ("shrunk, then by much", [scaled(0.6, 5), to(40, 53)], (1, 1)),
    ("shrunk first", [to(60, 80), TURN], (1, 1)),
    ("shrunk alone", [to(70, 95)], (1, 1)),
    ("shrunk after whole pixels were moved", [{"op": "hflip"}, {"op": "crop", "left": 3}, to(70, 95)], (1, 1)),
    ("moved by parts of a pixel, then halved: boxes are exact", [{"op": "translate", "x": 0.101}, to(60, 80)], (1, 1)),
    ("hardly turned, then halved", [{"op": "rotate", "degrees": 0.01}, to(60, 80)], (1, 1)),
    ("shrunk by little", [TURN, to(100, 133)], (1, 1)),
    ("shrunk by much", [TURN, to(40, 53)], (1, 1)),
]


@pytest.mark.parametrize(("steps", "expected"), [each[1:] for each in CHAINS], ids=[each[0] for each in CHAINS])
def test_chains_that_shrink_last_are_read_twice_along_the_sides_that_shrink(
    steps: list[Step], expected: tuple[int, int]
) -> None:
    links = numbers(chain(make_plan(steps, (120, 160)).steps))
    assert readings(links.tolist()) == readings(links) == expected


def test_the_reference_pipeline_reads_once() -> None:
    recipe = Recipe.parse(REFERENCE_PIPELINE)
    for key in range(200):
        moving = [each for each in stages(plan(recipe, 7, key, 0, Size(512, 512))) if isinstance(each, Chain)]
        assert all(readings(numbers(each.links).tolist()) == (1, 1) for each in moving)


def test_readings_lie_nearer_where_few_source_pixels_fit_into_an_output_pixel() -> None:
    found = [
        asides(numbers(chain(make_plan([scaled(scale, 20), to(60, 80)], (120, 160)).steps))) for scale in (1.6, 1.0, 0.9)
    ]
    assert found == [pytest.approx((aside, aside)) for aside in (0.1625, 0.23, 0.24)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([scaled(0.75, 5), to(60, 80)], Boxes(1, 1, 1, 1, 1, 1)),
        ([scaled(0.64), to(60, 80)], Boxes(2, 2, 1, 1, 7, 7)),
        ([scaled(0.6), to(60, 80)], Boxes(2, 2, 1, 1, 3, 3)),
        ([scaled(0.6), to(120, 80)], Boxes(2, 1, 1, 1, 3, 1)),
        ([scaled(0.6, 90), to(120, 80)], Boxes(1, 2, 1, 1, 1, 3)),
        ([scaled(0.7), to(120, 80)], Boxes(1, 1, 1, 1, 1, 1)),
        ([scaled(0.51), to(60, 80)], Boxes(2, 2, 1, 1, 1, 1)),
        ([scaled(0.42), to(60, 80)], Boxes(3, 3, 1, 1, 2, 2)),
        ([scaled(0.21), to(60, 80)], Boxes(4, 4, 2, 2, 1, 1)),
    ],
)
def test_boxes_are_fitted_to_the_part_of_an_output_pixel_that_is_read_at_once(steps: list[Step], expected: Boxes) -> None:
    links = numbers(chain(make_plan(steps, (120, 160)).steps))
    assert max(readings(links)) == 2
    assert Boxes(*smoothing(links)[2:]) == Boxes(*smoothing(links.tolist())[2:]) == expected


BORDERS = ("reflect", "replicate", "wrap", "constant")


def drawn(seed: int) -> tuple[Plan, Pixels]:
    """A chain that is read several times, on a photograph or on noise, with borders, fills, and steps on pixels or none.

    Each other time it shrinks before, so that boxes are read.
    """
    rng = random.Random(seed)
    pixels = make_image(97, 131, 3 + seed % 2, seed=seed) if seed % 3 == 0 else make_photo("chelsea", 111, 147)
    warp = {"border": BORDERS[seed % 4], "fill": [0.9, rng.random(), 0.1]}
    turn: Step = rng.choice(
        [
            {"op": "rotate", "degrees": rng.uniform(-180, 180), **warp},
            {"op": "shear", "x": rng.uniform(5, 20), **warp},
            {"op": "perspective", "distortion": rng.uniform(0.05, 0.3), **warp},
            {"op": "elastic", **warp},
        ]
    )
    height, width = pixels.shape[:2]
    small = rng.choice([to(round(height / 1.6), round(width / 1.6)), to(height // 2, round(width / 1.1))])
    scale = rng.choice([0.62, 0.45, 0.2]) if seed // 2 % 2 else 1.0
    steps: list[Step] = [turn, {**scaled(scale, 0 if seed % 5 == 0 else 10), **warp}, small][seed % 5 == 0 and scale < 1 :]
    if seed % 2:
        steps = [{"op": "invert"}, *steps, {"op": "invert"}]
    return make_plan(steps, (height, width), seed=seed), pixels


@pytest.mark.parametrize("seed", range(24))
def test_every_backend_reads_the_same(seed: int) -> None:
    made, pixels = drawn(seed)
    moving = next(each for each in stages(made) if isinstance(each, Chain))
    assert max(readings(numbers(moving.links))) == 2
    agree(made, pixels, f"seed {seed}")


STRAIGHT: dict[str, list[Step]] = {
    "sums of 16 bits": [scaled(0.6), to(46, 57)],
    "boxes two apart": [scaled(0.21), to(46, 57)],
    "sums too large for 16 bits": [scaled(0.055), to(42, 50)],
    "halved in height": [scaled(0.6), to(42, 100)],
    "exact in width": [{"op": "scale", "x": 1, "y": 0.8}, to(46, 50)],
}


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", STRAIGHT)
def test_every_backend_reads_the_same_boxes_where_nothing_turns(name: str, border: str) -> None:
    """Only the rows of boxes that are read are summed then: those of both readings."""
    first, last = STRAIGHT[name]
    made = make_plan([{**first, "border": border, "fill": [0.2, 0.9, 0.4]}, last], (84, 100))
    links = numbers(chain(made.steps))
    assert max(readings(links)) == 2
    assert Boxes(*smoothing(links)[2:]).are_needed
    agree(made, make_photo("chelsea", 84, 100), name)


def agree(made: Plan, pixels: Pixels, name: str) -> None:
    picture = make_picture(pixels)
    expected = run_reference([made], [picture])[0].pixels.int()
    by_triton = execute.computed([stages(made)], [picture.pixels], CPU)[0]
    for found in (run([made], [picture], CPU)[0].pixels, by_triton):
        assert found.shape == expected.shape
        off = (found.int() - expected).abs()
        assert torch.mean((off <= 1).float()) >= 0.995, f"{name}: {off.max()}"


def test_no_order_or_company_changes_a_byte() -> None:
    made = [drawn(seed) for seed in range(8)]

    def hashes(order: list[int]) -> dict[int, str]:
        results = run([made[place][0] for place in order], [make_picture(made[place][1]) for place in order], CPU)
        return {
            place: hashlib.sha256(result.pixels.numpy().tobytes()).hexdigest()
            for place, result in zip(order, results, strict=True)
        }

    expected = {place: found for each in range(8) for place, found in hashes([each]).items()}
    assert hashes([*range(8)]) == hashes([5, 0, 7, 2, 6, 1, 4, 3]) == expected


def test_a_mean_of_readings_is_what_single_readings_are() -> None:
    """A picture of one colour stays that colour, fills are shown in their share, and black outside is a smooth edge."""
    grey = np.full((90, 120, 3), 77, np.uint8)
    made = make_plan([{**TURN, "border": "reflect"}, to(50, 66)], (90, 120))
    assert (run([made], [make_picture(grey)], CPU)[0].pixels == 77).all()
    made = make_plan([{**TURN, "border": "constant", "fill": [0, 0, 0]}, to(50, 66)], (90, 120))
    shown = run([made], [make_picture(grey)], CPU)[0].pixels
    assert shown.min() == 0
    assert shown.max() == 77
    assert ((shown > 0) & (shown < 77)).any()


def test_class_masks_are_read_once_at_the_middle() -> None:
    links = chain(make_plan([{**TURN, "border": "reflect"}, to(60, 80)], (120, 160)).steps)
    mask = np.arange(120 * 160, dtype=np.int32).reshape(120, 160)
    y, x = np.meshgrid(np.arange(60) + 0.5, np.arange(80) + 0.5, indexing="ij")
    at = followed(links, x, y)
    columns, rows = (
        np.clip(np.floor(side - np.abs(side - np.mod(place, 2 * side))), 0, side - 1).astype(int)
        for place, side in ((at.x, 160), (at.y, 120))
    )
    assert np.mean(moved_classes(mask, links) == mask[rows, columns]) > 0.995


def test_routes_say_how_far_aside_they_are_read() -> None:
    route = itinerary(chain(make_plan([TURN, to(60, 160)], (120, 160)).steps), 255.0)
    assert route.readings == (1, 2)
    assert route.table[0, 7:9].tolist() == pytest.approx([0.0, 0.23])


def test_explanations_say_so() -> None:
    steps: list[Any] = [TURN, to(60, 80)]
    (stage,) = outlined(make_plan(steps, (120, 160)))
    assert (stage.readings, stage.shrink) == (4, (1, 1))
    (told,) = explain(Recipe.parse({"steps": steps}), Size(120, 160))["stages"]
    assert told["readings"] == 4
    assert "antialiased: 4 readings of each pixel averaged" in told["does"]


def test_explanations_tell_of_boxes_and_readings_together() -> None:
    steps: list[Any] = [scaled(0.6, 20), to(60, 80)]
    for before, kind in ([], "sweep"), ([{"op": "invert"}], "resample"):
        told = explain(Recipe.parse({"steps": [*before, *steps]}), Size(120, 160))["stages"][-2 if before else -1]
        assert (told["kind"], told["readings"], told["shrink"]) == (kind, 4, [2, 2])
        assert "boxes of 2 x 2 averaged first; antialiased: 4 readings of each pixel averaged" in told["does"]
