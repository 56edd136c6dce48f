"""The quality of random numbers over pictures: every measure passes our words, and a deliberately bad hash fails it.

Seeds are fixed, so a test either always passes or always fails. Scores are in standard deviations of what independent
numbers would show, the largest of thousands of them: a sound generator stays below 6.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from kernels import rng
from kernels.words import TORCH, NoiseSeed

Grid = NDArray[np.float64]
Generator = Callable[[NoiseSeed, int], Grid]
SIDE = 256
LIMIT = 6.0
SEEDS = [(0, 0), (123_456_789, 987_654_321), (0xDEADBEEF, 0x12345678)]


def ours(seed: NoiseSeed, channel: int) -> Grid:
    return TORCH["uniform"](torch.arange(SIDE * SIDE), seed, channel).double().numpy().reshape(SIDE, SIDE)


def ours_normal(seed: NoiseSeed, channel: int) -> Grid:
    """Normal numbers, taken back to even ones."""
    values = TORCH["normal"](torch.arange(SIDE * SIDE), seed, channel).double().numpy()
    return np.asarray(stats.norm.cdf(values)).reshape(SIDE, SIDE)


def added(seed: NoiseSeed, channel: int) -> Grid:
    """A bad generator: a sound hash, but of the counter plus the seed, so that other seeds are the same field, moved."""
    counted = (torch.arange(SIDE * SIDE) + seed[0] + seed[1] + 7 * channel) % 2**30
    return TORCH["uniform"](counted, (1, 2), 0).double().numpy().reshape(SIDE, SIDE)


def multiplied(seed: NoiseSeed, channel: int) -> Grid:
    """A bad generator: one multiplication, no mixing."""
    words = (np.arange(SIDE * SIDE, dtype=np.uint64) * 4 + channel + seed[0]) * 2_654_435_761 % 2**32
    return ((words + 0.5) / 2**32).reshape(SIDE, SIDE)


def likeness(one: Grid, other: Grid) -> float:
    """The largest correlation of one field with the other moved by any number of pixels, by Fourier transform."""
    a, b = one - one.mean(), other - other.mean()
    product = np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), s=a.shape)
    return float(np.abs(product).max() / np.sqrt((a**2).sum() * (b**2).sum()) * SIDE)


def own_likeness(field: Grid) -> float:
    """The largest correlation of a field with itself, moved in x and y."""
    a = field - field.mean()
    product = np.fft.irfft2(np.abs(np.fft.rfft2(a)) ** 2, s=a.shape)
    product[0, 0] = 0.0
    return float(np.abs(product).max() / (a**2).sum() * SIDE)


def unevenness(field: Grid) -> float:
    """How far the numbers are from even: chi-square of 256 classes, as standard deviations."""
    counts = np.bincount((field.ravel() * 256).astype(int), minlength=256)
    return float(abs((((counts - counts.mean()) ** 2) / counts.mean()).sum() - 255) / np.sqrt(2 * 255))


def colouredness(field: Grid) -> float:
    """The strongest wave of the spectrum over what the strongest of white noise is expected to be: about 1."""
    power = np.abs(np.fft.rfft2(field - field.mean())) ** 2
    return float(power.max() / power.mean() / np.log(power.size))


def related_seeds(seed: NoiseSeed) -> list[NoiseSeed]:
    """Seeds whose second words differ by one bit or by one step, and whose first words are the same or not."""
    flips = [(seed[0] ^ first, seed[1] ^ 1 << bit) for bit in range(0, 32, 5) for first in (0, 1, 1 << bit)]
    return [*flips, (seed[0], (seed[1] + 1) % 2**32)]


@pytest.mark.parametrize("generator", [ours, ours_normal])
@pytest.mark.parametrize("seed", SEEDS)
def test_one_field(generator: Generator, seed: NoiseSeed) -> None:
    for channel in range(4):
        field = generator(seed, channel)
        assert unevenness(field) < LIMIT
        assert own_likeness(field) < LIMIT
        assert colouredness(field) < 2.5


@pytest.mark.parametrize("generator", [ours, ours_normal])
@pytest.mark.parametrize("seed", SEEDS)
def test_channels_are_not_copies_of_each_other_moved(generator: Generator, seed: NoiseSeed) -> None:
    fields = [generator(seed, channel) for channel in range(4)]
    assert max(likeness(fields[one], fields[other]) for one in range(4) for other in range(one)) < LIMIT


@pytest.mark.parametrize("seed", SEEDS)
def test_related_seeds_are_not_copies_of_each_other_moved(seed: NoiseSeed) -> None:
    field = ours(seed, 0)
    assert max(likeness(field, ours(other, 0)) for other in related_seeds(seed)) < LIMIT


@pytest.mark.parametrize("seed", SEEDS)
def test_where_only_first_words_differ_numbers_are_the_same_in_another_order(seed: NoiseSeed) -> None:
    """A limit of the hash. Philox gives both words, so two steps share a second word once in 2^32."""
    field, other = ours(seed, 0), ours((seed[0] ^ 4, seed[1]), 0)
    assert np.array_equal(field[:, 0::2], other[:, 1::2])
    assert abs(np.corrcoef(field.ravel(), other.ravel())[0, 1]) * SIDE < LIMIT


def noise_seed(seed: int, key: int, variant: int, step: int) -> NoiseSeed:
    numbers = [np.array([number], dtype=np.uint64) for number in (key, variant, step, rng.NOISE_BLOCK)]
    first, second = rng.philox(rng.counters(*numbers), seed)[0, :2].tolist()
    return first, second


def test_adjacent_items_variants_steps_and_recipe_seeds_are_independent() -> None:
    field = ours(noise_seed(7, 3, 1, 2), 0)
    others = [(7, 4, 1, 2), (7, 2, 1, 2), (7, 3, 2, 2), (7, 3, 0, 2), (7, 3, 1, 3), (8, 3, 1, 2), (6, 3, 1, 2)]
    assert max(likeness(field, ours(noise_seed(*other), 0)) for other in others) < LIMIT


def test_the_seed_added_to_the_counter_is_found_out() -> None:
    seed = SEEDS[1]
    assert own_likeness(added(seed, 0)) < LIMIT, "each field alone looks sound"
    assert max(likeness(added(seed, 0), added(other, 0)) for other in related_seeds(seed)) > 50
    assert likeness(added(seed, 0), added(seed, 1)) > 50


def test_a_hash_that_does_not_mix_is_found_out() -> None:
    field = multiplied(SEEDS[1], 0)
    assert own_likeness(field) > 50
    assert colouredness(field) > 10
