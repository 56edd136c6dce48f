"""Random chains against what the photograph shows, and Kornia against it: classes T3 and T4 of the verification.

That a chain is exactly what its definition says is in `test_verification`. Every case is made from the seed in its name.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.ndimage
from numpy.typing import NDArray

from benchmarks.truth import averaged, shown
from kernels.chain import chain
from tests.helpers.drawn_plans import PHOTOS, planned, ran, seeds
from tests.helpers.pictures import Pixels, make_photo
from tests.helpers.recipes import BORDERS, Step

Covered = NDArray[np.bool_]


def warps(rng: random.Random, count: int, borders: Sequence[str]) -> list[Step]:
    """Steps that turn, lean and enlarge, none of them by whole pixels."""
    fill = [round(rng.random(), 2) for _ in range(3)]
    kinds: list[Step] = [
        {"op": "rotate", "degrees": rng.uniform(-180, 180)},
        {"op": "shear", "x": rng.uniform(-20, 20), "y": rng.uniform(-10, 10)},
        {"op": "affine", "degrees": rng.uniform(-40, 40), "scale": rng.uniform(1.0, 1.4)},
        {"op": "perspective", "distortion": rng.uniform(0.05, 0.3)},
        {"op": "translate", "x": rng.uniform(-0.3, 0.3), "y": rng.uniform(-0.3, 0.3)},
        {"op": "rotate_expand", "degrees": rng.uniform(-180, 180)},
        {"op": "shift_scale_rotate", "degrees": rng.uniform(-40, 40), "scale": rng.uniform(1.0, 1.4)},
        {"op": "scale", "x": rng.uniform(1.0, 1.4), "y": rng.uniform(1.0, 1.4)},
        {"op": "crop", "left": rng.randint(0, 60), "top": rng.randint(0, 60), "size": [rng.randint(150, 260), 230]},
    ]
    return [{**rng.choice(kinds), "border": rng.choice(borders), "fill": fill} for _ in range(count)]


# ------------------------------------------------------------------------------------------------ T3: nearer than Kornia
@pytest.mark.parametrize("seed", seeds(6, 60))
def test_t3_a_chain_is_nearer_to_the_truth_than_kornias(seed: int) -> None:
    rng = random.Random(seed)
    steps = warps(rng, 2 + seed % 3, ["reflect"])
    if seed % 2:
        steps.append({"op": "affine", "degrees": 5, "scale": rng.uniform(0.8, 1.0), "shear_x": 0, "border": "reflect"})
    fused, kornia = distances(make_photo(PHOTOS[seed % len(PHOTOS)]), steps, finer=4, points=4)
    assert fused <= kornia, f"seed {seed}: {fused:.3f} levels, Kornia {kornia:.3f}"


@pytest.mark.parametrize("seed", seeds(12, 120))
def test_t3_a_chain_that_turns_and_shrinks_is_nearer_to_the_truth_than_kornias(seed: int) -> None:
    """Down to a seventh."""
    rng = random.Random(seed)
    photo = make_photo(PHOTOS[seed % len(PHOTOS)])
    is_first = rng.random() < 0.5
    factor = rng.uniform(1.75, 7.0)
    steps = turns(rng, 1 + seed % 3)
    small: Step = {"op": "resize", "size": [round(side / 2 / factor) for side in photo.shape[:2]]}
    steps.insert(0 if is_first else len(steps), small)
    fused, kornia = distances(photo, steps, finer=2, points=12)
    assert fused <= kornia, f"seed {seed}: {fused:.3f} levels, Kornia {kornia:.3f}"


@pytest.mark.parametrize("seed", seeds(9, 180))
def test_t3_a_chain_that_shrinks_a_little_last_is_nearer_to_the_truth_than_kornias(seed: int) -> None:
    """To between 1/1.4 and 1/2.1, after a single turn mostly: there Kornia's chain reads only twice."""
    rng = random.Random(seed)
    photo = make_photo(PHOTOS[seed % len(PHOTOS)])
    factor = rng.uniform(1.4, 2.1)
    small: Step = {"op": "resize", "size": [round(side / 2 / factor) for side in photo.shape[:2]]}
    fused, kornia = distances(photo, [*turns(rng, max(1, seed % 4)), small], finer=2, points=12)
    assert fused <= kornia, f"seed {seed}: {fused:.3f} levels, Kornia {kornia:.3f}"


@pytest.mark.parametrize("seed", seeds(9, 180))
def test_t3_a_chain_that_halves_last_is_nearer_to_the_truth_than_kornias(seed: int) -> None:
    """Exactly, along one side or both: Kornia's last reading is then the mean of two or four along the output pixel."""
    rng = random.Random(seed)
    photo = make_photo(PHOTOS[seed % len(PHOTOS)])
    height, width = (side // 4 for side in photo.shape[:2])
    sizes = [[height, width]] * 3 + [[2 * height, width], [height, 2 * width]]
    before = [hardly_turns(rng)] if seed % 3 == 0 else turns(rng, max(1, seed % 4))
    steps = [*before, {"op": "resize", "size": sizes[seed % len(sizes)]}]
    fused, kornia = distances(photo[: 4 * height, : 4 * width], steps, finer=2, points=12)
    assert fused <= kornia, f"seed {seed}: {fused:.3f} levels, Kornia {kornia:.3f}"


@pytest.mark.parametrize("seed", seeds(9, 270))
def test_t3_a_chain_that_scales_and_then_shrinks_is_nearer_to_the_truth_than_kornias(seed: int) -> None:
    """Scaled by 0.25 to 2.4, turned or not, and shrunk to between 1/1.4 and 1/2.6, each third time to a half exactly.

    Along one side alone now and then. Where a chain scales up before, few source pixels fit into an output pixel; where it
    scales down, many do.
    """
    rng = random.Random(seed)
    photo = make_photo(PHOTOS[seed % len(PHOTOS)])
    height, width = (side // 4 * 4 for side in photo.shape[:2])
    low, high = ((0.25, 0.7), (0.7, 1.2), (1.2, 2.4))[seed // 3 % 3]
    degrees = rng.choice([0, rng.uniform(-180, 180)])
    scaled: Step = {"op": "affine", "degrees": degrees, "scale": rng.uniform(low, high), "border": "reflect"}
    factor = 2.0 if seed % 3 == 0 else rng.uniform(1.4, 2.6)
    down, across = rng.choice([(factor, factor), (factor, factor), (1.0, factor), (factor, 1.0)])
    small: Step = {"op": "resize", "size": [round(height / 2 / down), round(width / 2 / across)]}
    fused, kornia = distances(photo[:height, :width], [scaled, *turns(rng, seed // 9 % 3), small], finer=2, points=12)
    assert fused <= kornia, f"seed {seed}: {fused:.3f} levels, Kornia {kornia:.3f}"


def hardly_turns(rng: random.Random) -> Step:
    """A step that moves the edges of a picture by a few pixels."""
    little = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 2.5)
    warp: Step = {"border": "reflect"}
    return rng.choice([{"op": "rotate", "degrees": little, **warp}, {"op": "shear", "x": little, "y": -little / 2, **warp}])


def turns(rng: random.Random, count: int) -> list[Step]:
    """Different steps that turn and lean."""
    turned: list[Step] = [
        {"op": "rotate", "degrees": rng.uniform(-180, 180), "border": "reflect"},
        {"op": "shear", "x": rng.uniform(-20, 20), "y": rng.uniform(-10, 10), "border": "reflect"},
        {"op": "perspective", "distortion": rng.uniform(0.05, 0.2), "border": "reflect"},
    ]
    return rng.sample(turned, count)


def distances(photo: Pixels, steps: Sequence[Step], finer: int, points: int) -> tuple[float, float]:
    """Root mean squares in levels from what the photograph shows, `finer` times finer than what they get: fused, Kornia's.

    points: how many are read along each side of an output pixel.
    """
    coarse = averaged(photo, finer)
    plans = [planned(steps, coarse, profile) for profile in ("fused", "kornia")]
    fine = photo[: coarse.shape[0] * finer, : coarse.shape[1] * finer].astype(np.float64)
    truth = shown(chain(plans[0].steps), fine, points=points, finer=finer)
    fused, kornia = (float(np.sqrt(np.mean((ran(each, coarse) - truth) ** 2))) for each in plans)
    return fused, kornia


# ------------------------------------------------------------------------------------------------ T4: what is covered
@pytest.mark.parametrize("seed", seeds(20, 200))
def test_t4_a_chain_covers_what_single_steps_cover(seed: int) -> None:
    """Against bilinear reading with zeros outside, step by step; of 200 chains one is off the truth so."""
    steps = covering(seed, ["constant"])
    fused, kornia = (covered(steps, profile) for profile in ("fused", "kornia"))
    if overlap(fused, kornia) < 0.998:
        truth = covered_in_truth(steps)
        assert overlap(fused, truth) >= 0.9995, f"seed {seed}: {steps}"
        assert overlap(kornia, truth) < 0.998, f"seed {seed}: {steps}"
    assert beyond(fused, kornia) == 0.0, f"seed {seed}: {steps}"


@pytest.mark.parametrize("seed", seeds(14, 200))
def test_t4_every_border_among_the_steps_covers_what_it_covers_in_truth(seed: int) -> None:
    """And what single steps cover, unless these are off the truth themselves.

    Black edges that borders repeat are long, and at each of them a picture that was read several times is soft: where it
    crosses half of white moves, and slivers thinner than a pixel vanish. Of 200 chains, Kornia's overlap with the truth is
    below 0.9982 in five, at least 0.9965.
    """
    steps = covering(seed, BORDERS)
    fused, kornia = (covered(steps, profile) for profile in ("fused", "kornia"))
    truth = covered_in_truth(steps)
    assert overlap(fused, truth) >= 0.9995, f"seed {seed}: {steps}"
    assert overlap(fused, kornia) >= 0.998 or overlap(kornia, truth) < 0.9982, f"seed {seed}: {steps}"
    assert beyond(fused, kornia) <= 0.0005, f"seed {seed}: {steps}"


WHITE = np.full((260, 340, 3), 255, dtype=np.uint8)


def covering(seed: int, borders: Sequence[str]) -> list[Step]:
    """Steps that are black beyond the picture; at least one of them shows it."""
    rng = random.Random(seed)
    steps = [{**step, "fill": [0, 0, 0]} for step in warps(rng, rng.randint(1, 4), borders)]
    rng.choice(steps)["border"] = "constant"
    return steps


def covered(steps: Sequence[Step], profile: str) -> Covered:
    """Where a white picture is shown."""
    covered: Covered = ran(planned(steps, WHITE, profile), WHITE)[..., 0] > 127
    return covered


def covered_in_truth(steps: Sequence[Step]) -> Covered:
    """Where one of twice the size is shown, by nine points of each pixel."""
    twice = np.full((2 * WHITE.shape[0], 2 * WHITE.shape[1], 3), 255.0)
    covered: Covered = shown(chain(planned(steps, WHITE).steps), twice, points=3, finer=2)[..., 0] > 127.5
    return covered


def overlap(one: Covered, other: Covered) -> float:
    """Intersection over union. What is left of a picture may be all edge, so of half the canvas at least."""
    return 1.0 - float((one != other).sum()) / max(int((one | other).sum()), one.size / 2)


def beyond(one: Covered, other: Covered) -> float:
    """The share of pixels in which they differ not beside an edge of the other."""
    edge = scipy.ndimage.maximum_filter(other, 3) & ~scipy.ndimage.minimum_filter(other, 3)
    return float(np.mean((one != other) & ~edge))
