"""Random chains and recipes against slower ways to the same result: classes T1, T3, T6 and T7 of the verification.

How near they come to the truth, T3 and T4, is in `test_nearness_to_truth`; T2 and T8, each operation alone against Kornia,
are in `test_against_kornia`. Every case is made from the seed in its name; `make test-long` runs many more of them.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.truth import Levels, folded, followed, shown
from kernels import rng as counted
from kernels.chain import Link, chain, numbers
from kernels.errors import RecipeInvalid
from kernels.plan import Plan
from kernels.readings import smoothing
from kernels.run import run, run_reference
from kernels.tensors import Picture
from tests.helpers import references_framing, references_geometry
from tests.helpers.drawn_plans import PHOTOS, planned, ran, seeds
from tests.helpers.pictures import CPU, Pixels, make_image, make_photo, make_picture
from tests.helpers.recipes import ALONE, BORDERS, MOVING, Step, any_recipe
from tests.helpers.references_geometry import Boxes

Covered = NDArray[np.bool_]


def any_pixels(rng: random.Random, largest: int = 200) -> Pixels:
    """A part of a photograph, or noise; often with an odd side or with one of a single pixel."""
    height, width = rng.choice([(rng.randint(20, largest), rng.randint(20, largest)), (1, 57), (43, 1), (1, 1), (31, 64)])
    if rng.random() < 0.5:
        return make_image(height, width, seed=rng.randrange(1000))
    return make_photo(rng.choice(PHOTOS), height, width)


# ------------------------------------------------------------------------------------------------ T1: bits
def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox4x32-10 in whole numbers, round by round, as its paper has it."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        high, low = divmod(0xD2511F53 * a, 2**32)
        other_high, other_low = divmod(0xCD9E8D57 * c, 2**32)
        a, b, c, d = other_high ^ b ^ k, other_low, high ^ d ^ m, low
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    return [a, b, c, d]


def test_philox_has_the_bits_of_its_definition() -> None:
    rng = random.Random(1)
    for _ in range(200):
        counter, key = [rng.getrandbits(32) for _ in range(4)], [rng.getrandbits(32) for _ in range(2)]
        found = counted.philox(np.array(counter, dtype=np.uint64), key[0] | key[1] << 32)
        assert found.tolist() == philox(counter, key), (counter, key)


EXACT = references_framing.REFERENCES | references_geometry.REFERENCES


def exact_step(rng: random.Random, size: tuple[int, int]) -> Step:
    """A step that only rearranges pixels, with a fill that is one of the 256 levels."""
    height, width = size
    fill = [rng.randrange(256) / 255 for _ in range(3)]
    warp = {"border": rng.choice(BORDERS), "fill": fill}
    cut = {"size": [rng.randint(1, height + 20), rng.randint(1, width + 20)]}
    sides = {side: rng.randint(0, 40) for side in ("left", "top", "right", "bottom")}
    return rng.choice(
        [
            {"op": "hflip"},
            {"op": "vflip"},
            {"op": "rot90"},
            {"op": "transpose"},
            {"op": "d4"},
            {"op": "pad", **sides, **warp},
            {"op": "pad_if_needed", **cut, **warp},
            {"op": "pad_to_multiple", "multiple": rng.randint(1, 40), **warp},
            {"op": "crop", "left": rng.randint(0, 30), "top": rng.randint(0, 30), **cut, **warp},
            {"op": "center_crop", **cut, **warp},
            {"op": "random_crop", **cut, **warp},
            {"op": "multi_crop", **cut, **warp},
            {"op": "random_crop_from_borders", "left": [0, 0.4], "bottom": [0, 0.4]},
        ]
    )


@pytest.mark.parametrize("seed", seeds(100, 1000))
def test_t1_rearranging_chains_are_numpys_bit_for_bit(seed: int) -> None:
    rng = random.Random(seed)
    pixels, steps = any_pixels(rng, 70), []
    size = pixels.shape[:2]
    for _ in range(rng.randint(1, 5)):
        steps.append(exact_step(rng, size))
        size = planned(steps, pixels).size_out
    made = planned(steps, pixels)
    expected = pixels
    for step in made.steps:
        levels = EXACT[step.op.name](expected, step)
        expected = np.rint(levels).astype(np.uint8)
    assert np.array_equal(ran(made, pixels), expected), (seed, steps)


@pytest.mark.parametrize("name", ["invert", "posterize", "solarize", "channel_swap", "channel_dropout"])
def test_t1_tables_hold_the_levels_of_whole_numbers(name: str) -> None:
    """Every level of every channel, by arithmetic on whole numbers."""
    levels = np.arange(256, dtype=np.uint8)
    pixels = np.ascontiguousarray(np.stack([levels, levels[::-1], np.roll(levels, 99)], axis=-1)[None])
    for threshold in (0, 51, 128, 255):
        made = planned([{"op": name, **({"threshold": threshold / 255} if name == "solarize" else {})}], pixels)
        fields: Any = made.steps[0].fields
        expected = pixels.copy()
        match name:
            case "invert":
                expected = 255 - pixels
            case "posterize":
                expected = pixels >> (8 - fields["bits"]) << (8 - fields["bits"])
            case "solarize":
                expected = np.where(pixels < threshold, pixels, 255 - pixels)
            case "channel_swap":
                first, second = "rgb".index(fields["first"]), "rgb".index(fields["second"])
                expected[..., [first, second]] = pixels[..., [second, first]]
            case _:
                expected[..., "rgb".index(fields["channel"])] = 0
        assert np.array_equal(ran(made, pixels), expected), (name, threshold)


# ------------------------------------------------------------------------------------------------ T3: one reading
@pytest.mark.parametrize("seed", seeds(40, 400))
def test_t3_a_chain_is_one_reading_of_float64_coordinates(seed: int) -> None:
    """Any steps that move pixels, whose places are followed back one by one."""
    pixels, made, moved, clear = any_chain(seed, is_smoothed=False)
    off = np.abs(ran(made, pixels) - shown(moved, pixels.astype(np.float64))).max(axis=-1)[clear]
    assert np.mean(off <= 1.0) >= 0.999, f"seed {seed}: {off.max():.2f} levels, {np.mean(off > 1.0):.4%} beyond one"


@pytest.mark.parametrize("seed", seeds(40, 400))
def test_t3_a_chain_that_is_smoothed_first_is_a_reading_of_boxes(seed: int) -> None:
    """The same, of means of boxes that are worked out in float64.

    Which boxes is worked out here as well, but where a chain reads each output pixel several times: then how far aside, and
    of which boxes, is as the kernels have it. Where a mirrored or repeated picture ends, boxes meet other ones.
    """
    pixels, made, moved, clear = any_chain(seed, is_smoothed=True)
    off = np.abs(ran(made, pixels) - smoothed(moved, pixels.astype(np.float64))).max(axis=-1)[clear]
    assert np.mean(off <= 1.0) >= 0.98, f"seed {seed}: {off.max():.2f} levels, {np.mean(off > 1.0):.4%} beyond one"


Moved = tuple[Link, ...]


def any_chain(seed: int, *, is_smoothed: bool) -> tuple[Pixels, Plan, Moved, Covered]:
    """A picture, a chain of any steps that move pixels, and which of its output pixels show no edge on the way."""
    rng = random.Random(f"chain {seed}")
    pixels = make_photo(rng.choice(PHOTOS), 131, 170) if seed % 2 else make_image(131, 170, seed=seed)
    while True:
        made = planned(any_recipe(rng, 4, MOVING), pixels)
        if not made.steps or made.size_out.pixels > 100_000:
            continue
        moved = chain(made.steps)
        clear = ~edges_on_the_way(moved)
        if clear.sum() > 300 and is_smoothed == (smoothing(numbers(moved))[:4] != (0.0, 0.0, 1, 1)):
            return pixels, made, moved, clear


def smoothed(moved: Moved, pixels: Levels) -> Levels:
    """What `shown` is where the first canvas is read by boxes."""
    aside, off, wide, high, across, down, column_weight, row_weight = smoothing(numbers(moved))
    if aside or off:
        boxes = Boxes(counting(high, row_weight), counting(wide, column_weight), down, across)
    else:
        boxes = boxes_of(moved)
    rows, columns = moved[-1].size_out
    seen = []
    for shift_y, shift_x in itertools.product({-off, off}, {-aside, aside}):
        y, x = np.meshgrid(np.arange(rows) + 0.5 + shift_y, np.arange(columns) + 0.5 + shift_x, indexing="ij")
        found = followed(moved, x, y)
        levels = references_geometry.read(pixels, found.x, found.y, moved[0].border, moved[0].fill, boxes)
        for coverage, fill in found.veils:
            levels = coverage[..., None] * levels + (1.0 - coverage[..., None]) * 255.0 * np.array(fill)
        seen.append(levels)
    mean: Levels = np.mean(seen, axis=0)
    return mean


def boxes_of(moved: Moved) -> Boxes:
    """Those fitted to an output pixel, in the middle."""
    matrix = np.eye(3)
    for link in moved:
        matrix = np.reshape(link.forward, (3, 3)) @ matrix
    back = np.linalg.inv(matrix)

    def backward(x: float, y: float) -> tuple[float, float]:
        place = back @ (x, y, 1.0)
        return place[0] / place[2], place[1] / place[2]

    x, y = moved[-1].size_out.width / 2, moved[-1].size_out.height / 2
    return references_geometry.boxes(backward, x, y, *moved[0].size_in) if (back @ (x, y, 1.0))[2] > 1e-9 else Boxes()


def counting(length: int, weight: int) -> tuple[float, ...]:
    """Pixels along a side of a box, of which the inner ones, or the first of two, count so many times."""
    weights = [weight] * length if length > 2 else [weight, 1][:length]
    if length > 2:
        weights[0] = weights[-1] = 1
    return tuple(each / sum(weights) for each in weights)


def edges_on_the_way(moved: Moved) -> Covered:
    """Output pixels that show an edge of a canvas on the way: it is as soft as the chain shrinks after it."""
    rows, columns = moved[-1].size_out
    y, x = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij")
    near = np.zeros((rows, columns), dtype=bool)
    for number in range(1, len(moved)):
        link, rest = moved[number], moved[number:]
        found, right, below = followed(rest, x, y), followed(rest, x + 1.0, y), followed(rest, x, y + 1.0)
        pace = np.maximum(*(np.hypot(other.x - found.x, other.y - found.y) for other in (right, below)))
        for places, side in ((found.x, link.size_in.width), (found.y, link.size_in.height)):
            inside = places if link.border == "constant" else folded(places, side, link.border, 0.0)
            near |= np.minimum(np.abs(inside), np.abs(inside - side)) < 2.0 * (1.0 + pace)
    return near


# ------------------------------------------------------------------------------------------------ T6: company
@pytest.mark.parametrize("profile", ["fused", "kornia"])
@pytest.mark.parametrize("seed", seeds(6, 80))
def test_t6_no_order_split_or_company_changes_a_byte(seed: int, profile: str) -> None:
    rng = random.Random(seed)
    plans: list[Plan] = []
    pictures: list[Picture] = []
    while len(plans) < 10:
        pixels = any_pixels(rng, 90)
        try:
            plans.append(planned(any_recipe(rng), pixels, profile, key=len(plans)))
        except RecipeInvalid:
            continue  # too large a window for Kornia, or a canvas too large
        pictures.append(make_picture(pixels))
    expected = hashes(plans, pictures)
    order = list(range(len(plans)))
    rng.shuffle(order)
    while order:
        size = rng.randint(1, len(order))
        part, order = order[:size], order[size:]
        found = hashes([plans[place] for place in part], [pictures[place] for place in part])
        assert found == [expected[place] for place in part], f"seed {seed}"


def hashes(plans: Sequence[Plan], pictures: Sequence[Picture]) -> list[str]:
    return [hashlib.sha256(result.pixels.numpy().tobytes()).hexdigest() for result in run(plans, pictures, CPU)]


# ------------------------------------------------------------------------------------------------ T7: two backends
@pytest.mark.parametrize("seed", seeds(40, 600))
def test_t7_compiled_kernels_agree_with_torch_on_any_recipe(seed: int) -> None:
    rng = random.Random(seed)
    pixels = any_pixels(rng)
    made = planned(any_recipe(rng, 4), pixels, key=seed)
    picture = make_picture(pixels)
    found, expected = run([made], [picture], CPU)[0].pixels.int(), run_reference([made], [picture])[0].pixels.int()
    assert found.shape == expected.shape
    off = (found - expected).abs()
    assert torch.mean((off <= 1).float()) >= 0.995, f"seed {seed}: {[step.op.name for step in made.steps]}"


def test_every_operation_is_drawn() -> None:
    """The random recipes above are of all operations that need no other picture."""
    drawn = {step["op"] for seed in range(1000) for step in any_recipe(random.Random(seed))}
    assert drawn == {op.name for op in ALONE}
