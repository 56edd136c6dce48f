"""The words as compiled kernels have them, against the torch reference: noise bit for bit, powers to the last places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kernels import words
from kernels.cpu.binding import Binder
from kernels.cpu.compiled import kernels
from kernels.cpu.itinerary import NO_FIELDS
from kernels.cpu.passes import LOAD, SWEEP
from kernels.words import clamp, exp2, floor, log2, maximum, minimum, normal, rint, sqrt, uniform, where

Floats = NDArray[np.float32]
SEEDS = [(0, 0), (0x12345678, 0x9ABCDEF0), (0xFFFFFFFF, 1)]
ROWS = ("where", "minimum", "maximum", "clamp", "floor", "rint", "exp2", "log2", "sqrt", "uniform", "other", "normal")


def all_words(a: Any, b: Any, first: Any, seed: Any, result: Any) -> None:
    """One word a row, of a, of b (above 0) and of the pixel numbers from `first`; compiled below."""
    for t in range(a.size):
        i = np.uint32(first + t)
        result[0, t] = where(a[t] < b[t], 1.5, b[t])
        result[1, t] = minimum(a[t], b[t])
        result[2, t] = maximum(a[t], b[t])
        result[3, t] = clamp(a[t])
        result[4, t] = floor(a[t])
        result[5, t] = rint(a[t])
        result[6, t] = exp2(a[t])
        result[7, t] = log2(b[t])
        result[8, t] = sqrt(b[t])
        result[9, t] = uniform(i, seed, 0)
        result[10, t] = uniform(i, seed, 3)
        result[11, t] = normal(i, seed, 2)


@pytest.fixture(scope="module")
def kernel() -> Any:
    kernels()  # settles for this process how numba is to compile
    return Binder().called(all_words)


def compiled(kernel: Any, a: Floats, b: Floats, first: int = 0, seed: tuple[int, int] = SEEDS[1]) -> dict[str, Floats]:
    result = np.empty((len(ROWS), a.size), np.float32)
    kernel(a, b, first, (np.uint32(seed[0]), np.uint32(seed[1])), result)
    return dict(zip(ROWS, result, strict=True))


def by_torch(word: str, *args: Any) -> Floats:
    return np.asarray(words.TORCH[word](*(torch.from_numpy(arg) if isinstance(arg, np.ndarray) else arg for arg in args)))


def numbers() -> tuple[Floats, Floats]:
    """Numbers about whole and half ones, some of them far; and positive ones of every size."""
    rng = np.random.default_rng(0)
    near = np.arange(-80, 80, dtype=np.float32) / 4
    a = np.concatenate([near, rng.normal(0, 30, 4000).astype(np.float32)])
    return a, np.exp2(rng.uniform(-90, 90, a.size)).astype(np.float32)


@pytest.mark.parametrize("word", ["minimum", "maximum", "clamp", "floor", "rint"])
def test_plain_words_are_exact(kernel: Any, word: str) -> None:
    a, b = numbers()
    args = (a, b) if word in ("minimum", "maximum") else (a,)
    assert np.array_equal(compiled(kernel, a, b)[word], by_torch(word, *args))


def test_roots_are_rounded_as_they_should_be(kernel: Any) -> None:
    # torch's own vectors of roots are off by a bit now and then
    a, b = numbers()
    assert np.array_equal(compiled(kernel, a, b)["sqrt"], np.sqrt(b))


def test_where_chooses(kernel: Any) -> None:
    a, b = numbers()
    assert np.array_equal(compiled(kernel, a, b)["where"], np.where(a < b, np.float32(1.5), b))


def test_powers_and_logarithms_are_near_to_the_last_places(kernel: Any) -> None:
    a, b = numbers()
    found = compiled(kernel, a, b)
    assert found["exp2"] == pytest.approx(np.exp2(a.astype(np.float64)), rel=4e-7)
    assert found["log2"] == pytest.approx(np.log2(b.astype(np.float64)), rel=4e-7, abs=2e-7)
    whole = a == np.floor(a)
    assert np.array_equal(found["exp2"][whole], np.exp2(a[whole]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("first", [0, 1_000_003, 49_990_000])
def test_noise_has_the_references_bits(kernel: Any, seed: tuple[int, int], first: int) -> None:
    a, b = numbers()
    found = compiled(kernel, a, b, first, seed)
    places = torch.arange(first, first + a.size)
    for row, word, channel in (("uniform", "uniform", 0), ("other", "uniform", 3), ("normal", "normal", 2)):
        assert np.array_equal(found[row], words.TORCH[word](places, seed, channel).numpy())


def test_levels_are_loaded_as_exact_fractions() -> None:
    levels = np.arange(256, dtype=np.uint8)
    for width in (256, 5):  # by sixteen, and one by one
        source = np.ascontiguousarray(np.stack([levels[:width], levels[::-1][:width], levels[:width]], axis=-1))
        planes = np.empty((3, width), np.float32)
        nothing, no_bytes = np.zeros(0, np.float32), np.zeros(0, np.uint8)
        orders = np.array([LOAD, 1, width, 0, SWEEP, 0, 0, 0, -1, 0, 0, 0], np.float64)
        kernels().carry(orders, source.reshape(-1), nothing, NO_FIELDS, planes, nothing, no_bytes)
        assert np.array_equal(planes, source.astype(np.float32).T / np.float32(255))
