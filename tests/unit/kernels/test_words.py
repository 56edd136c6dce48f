"""The words of pixel operations: binding them, their arithmetic, and the quality of their random numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from kernels import words
from kernels.words import (
    TORCH,
    NoiseSeed,
    Value,
    bind,
    clamp,
    exp2,
    floor,
    log2,
    maximum,
    minimum,
    normal,
    rint,
    sqrt,
    uniform,
    where,
)
from tests.helpers.references_noise import normal as normal_of
from tests.helpers.references_noise import word

HALF = 0.5
SEEDS = [(0, 0), (1, 0), (0, 1), (2**32 - 1, 2**32 - 1), (123_456_789, 987_654_321), (0xDEADBEEF, 0x12345678)]
PIXELS = 2**16
STRICT = 1e-6
"""Seeds are fixed, so a test either always passes or always fails; a sound generator fails one in a million of these."""


def numbers(name: str, seed: NoiseSeed, channel: int = 0, pixels: int = PIXELS) -> NDArray[np.float64]:
    return TORCH[name](torch.arange(pixels), seed, channel).to(torch.float64).numpy()


# ------------------------------------------------------------------------------------------------ bind
def folded(value: Value) -> Value:
    return where(value < HALF, value, 1.0 - value)


def painted(r: Value, g: Value, b: Value) -> tuple[Value, Value, Value]:
    return folded(r), maximum(g, HALF), clamp(b + 1.0)


def test_bind_reaches_helpers_and_their_constants() -> None:
    red, green, blue = bind(painted, TORCH)(torch.tensor([0.2, 0.8]), torch.tensor([0.2, 0.8]), torch.tensor([-0.5, 0.5]))
    torch.testing.assert_close(red, torch.tensor([0.2, 0.2]))
    torch.testing.assert_close(green, torch.tensor([0.5, 0.8]))
    torch.testing.assert_close(blue, torch.tensor([0.5, 1.0]))


def test_the_source_function_stays_unbound() -> None:
    def function(r: Value) -> Value:
        return floor(r)

    assert bind(function, TORCH)(torch.tensor(1.5)) == 1.0
    with pytest.raises(TypeError, match="floor: only inside an operation"):
        function(torch.tensor(1.5))


@pytest.mark.parametrize("word", words.WORDS)
def test_every_word_asks_to_be_bound(word: object) -> None:
    assert callable(word)
    with pytest.raises(TypeError, match="bound to a backend"):
        word(*[0.5] * word.__code__.co_argcount)  # type: ignore[attr-defined]  # a plain function


def test_bind_refuses_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="not a plain function"):
        bind(math.floor, TORCH)


def test_every_word_is_in_the_backend() -> None:
    assert {word.__name__ for word in words.WORDS} == TORCH.keys()


# ------------------------------------------------------------------------------------------------ arithmetic
@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("floor", floor, [-2.0, -1.0, 0.0, 0.0, 2.0]),
        ("rint", rint, [-2.0, -0.0, 0.0, 0.0, 2.0]),
        ("clamp", clamp, [0.0, 0.0, 0.0, 0.5, 1.0]),
        ("exp2", exp2, [0.25 * math.sqrt(2), 0.5 * math.sqrt(2), 1.0, math.sqrt(2), 4 * math.sqrt(2)]),
    ],
)
def test_words_of_one_value(name: str, word: object, expected: list[float]) -> None:
    values = torch.tensor([-1.5, -0.5, 0.0, 0.5, 2.5])
    torch.testing.assert_close(TORCH[name](values), torch.tensor(expected))
    for value, one in zip(values.tolist(), expected, strict=True):
        torch.testing.assert_close(TORCH[name](value), torch.tensor(one))  # a field is a plain number
    assert word in words.WORDS


def test_sqrt_and_log2() -> None:
    def function(r: Value) -> tuple[Value, Value, Value]:
        return sqrt(r), log2(r), sqrt(4.0)

    root, logarithm, two = bind(function, TORCH)(torch.tensor([1.0, 4.0]))
    assert root.tolist() == [1.0, 2.0]
    assert logarithm.tolist() == [0.0, 2.0]
    assert two == 2.0


def test_words_of_two_values_take_plain_numbers() -> None:
    values = torch.tensor([0.2, 0.8])
    assert TORCH["minimum"](values, 0.5).tolist() == pytest.approx([0.2, 0.5])
    assert TORCH["maximum"](0.5, values).tolist() == pytest.approx([0.5, 0.8])
    assert TORCH["minimum"](2.0, 3.0) == 2.0
    assert minimum in words.WORDS


def test_where_takes_plain_conditions_and_values() -> None:
    values = torch.tensor([0.2, 0.8])
    assert TORCH["where"](values < 0.5, 1.0, 0.0).tolist() == [1.0, 0.0]
    assert TORCH["where"](values < 0.5, 1.0, 0.0).dtype == torch.float32
    assert TORCH["where"](values < 0.5, values, 0.0).tolist() == pytest.approx([0.2, 0.0])
    assert TORCH["where"](True, values, 0.0) is values
    assert TORCH["where"](False, values, 0.25) == 0.25


# ------------------------------------------------------------------------------------------------ random numbers
@pytest.mark.parametrize("seed", SEEDS)
def test_hash_is_the_same_everywhere(seed: NoiseSeed) -> None:
    pixels = torch.tensor([[0, 1, 2, 3], [49_999_999, 2**30, 2**31, 4_294_967_295]])
    for channel in range(4):
        expected = [[word(pixel, channel, seed) for pixel in row] for row in pixels.tolist()]
        assert words._hash(pixels, seed, channel).tolist() == expected
        assert words._hash_on_cpu(pixels, seed, channel).tolist() == expected


def test_known_answers() -> None:
    """Stored results can be made again only while these numbers stay."""
    first = TORCH["uniform"](torch.arange(4), (1, 2), 0)
    assert first.tolist() == [0.7929670214653015, 0.18811506032943726, 0.0757187008857727, 0.5960319638252258]
    second = TORCH["normal"](torch.arange(4), (1, 2), 3)
    torch.testing.assert_close(second, torch.tensor([1.0923936, 0.2270938, -0.1368556, 1.9074700]), rtol=0, atol=1e-6)


def test_uniform_never_reaches_its_ends() -> None:
    values = numbers("uniform", SEEDS[4], pixels=2**22)
    assert 0.0 < values.min() < 1e-5
    assert 1.0 - 1e-5 < values.max() < 1.0


def test_uniform_is_exact_in_float32() -> None:
    values = numbers("uniform", SEEDS[4])
    steps = values * 2**23 - 0.5
    assert np.array_equal(steps, np.round(steps))


@pytest.mark.parametrize("channel", range(4))
@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_is_even(seed: NoiseSeed, channel: int) -> None:
    values = numbers("uniform", seed, channel)
    counts = np.bincount((values * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > STRICT
    assert stats.kstest(values, "uniform").pvalue > STRICT


@pytest.mark.parametrize("channel", range(3))
@pytest.mark.parametrize("seed", SEEDS)
def test_normal_is_normal(seed: NoiseSeed, channel: int) -> None:
    values = numbers("normal", seed, channel)
    assert stats.kstest(values, "norm").pvalue > STRICT
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / PIXELS)
    assert abs(stats.skew(values)) < 5 * math.sqrt(6 / PIXELS)
    assert abs(stats.kurtosis(values)) < 5 * math.sqrt(24 / PIXELS)


@pytest.mark.parametrize("channel", range(4))
def test_normal_is_what_box_and_muller_say(channel: int) -> None:
    values = TORCH["normal"](torch.arange(3000), (5, 6), channel)
    exact = [normal_of(pixel, channel, (5, 6)) for pixel in range(3000)]
    torch.testing.assert_close(values, torch.tensor(exact), rtol=0, atol=1e-4)


def test_normal_reaches_its_ends_and_no_further() -> None:
    values = numbers("normal", SEEDS[4], pixels=2**22)
    assert 4.5 < np.abs(values).max() <= 4.86


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """In standard deviations of what independent numbers would show."""
    return float(abs(np.corrcoef(a, b)[0, 1]) * math.sqrt(len(a)))


@pytest.mark.parametrize("name", ["uniform", "normal"])
@pytest.mark.parametrize("seed", SEEDS)
def test_pixels_are_independent(seed: NoiseSeed, name: str) -> None:
    values = numbers(name, seed)
    for apart in (1, 2, 3, 4, 7, 64, 255, 256, 512, 1024):
        assert correlation(values[apart:], values[:-apart]) < 5


@pytest.mark.parametrize("name", ["uniform", "normal"])
@pytest.mark.parametrize("seed", SEEDS)
def test_channels_are_independent(seed: NoiseSeed, name: str) -> None:
    channels = [numbers(name, seed, channel) for channel in range(4)]
    for one in range(4):
        for other in range(one):
            assert correlation(channels[one], channels[other]) < 5


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_are_independent(seed: NoiseSeed) -> None:
    values = numbers("uniform", seed)
    others = [
        (seed[0] ^ 1, seed[1]),
        (seed[0], seed[1] ^ 1),
        (seed[0] ^ 4, seed[1]),
        (seed[0] ^ 2**31, seed[1]),
        (seed[1] ^ 7, seed[0]),
    ]
    for other in others:
        theirs = numbers("uniform", other)
        assert correlation(values, theirs) < 5
        if seed[1] != other[1]:
            assert len(np.intersect1d(values[:4096], theirs[:4096])) < 30, "one seed's numbers are the other's, moved"


def test_a_pair_of_neighbours_fills_the_square() -> None:
    values = numbers("uniform", SEEDS[5], pixels=2**18)
    cells = (values[0::2] * 64).astype(int) * 64 + (values[1::2] * 64).astype(int)
    assert stats.chisquare(np.bincount(cells, minlength=4096)).pvalue > STRICT


def test_noise_in_an_operation() -> None:
    def function(i: Value, seed: NoiseSeed) -> tuple[Value, Value]:
        return uniform(i, seed, 1), normal(i, seed, 2)

    even, bell = bind(function, TORCH)(torch.arange(9).view(3, 3), (1, 2))
    assert even.shape == bell.shape == (3, 3)
    assert torch.equal(even.flatten(), TORCH["uniform"](torch.arange(9), (1, 2), 1))
