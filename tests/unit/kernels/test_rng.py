"""The random numbers are pinned: a change here changes every result ever promised to be repeatable."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kernels import rng


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        # the known answers that ship with Random123 (kat_vectors, philox4x32 10)
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    found = rng.philox(np.array(counter, dtype=np.uint64), key[0] | key[1] << 32)
    assert tuple(int(word) for word in found) == words


def test_blocks_do_not_depend_on_how_many_are_asked_for() -> None:
    many = np.random.default_rng(0).integers(0, 2**32, (5, 7, 4), dtype=np.uint64)
    together = rng.philox(many, 123_456_789_012)
    assert np.array_equal(together[3, 2], rng.philox(many[3, 2], 123_456_789_012))


def test_counter_layout() -> None:
    words = rng.counters(*(np.array(value, dtype=np.uint64) for value in (0xAABBCCDD_11223344, 5, 9, 3)))
    assert [int(word) for word in words] == [3 << 16 | 9, 5, 0x11223344, 0xAABBCCDD]


def test_item_key_is_the_integer_or_the_start_of_the_names_digest() -> None:
    assert rng.item_key(17) == 17
    assert rng.item_key("cat.jpg") == int(hashlib.sha256(b"cat.jpg").hexdigest()[:16], 16)
    for outside in (-1, 2**64):
        with pytest.raises(ValueError, match="item key"):
            rng.item_key(outside)
    assert rng.item_key(np.int64(17)) == 17  # type: ignore[arg-type]  # as arrays of ids give them
    with pytest.raises(ValueError, match="surrogates"):
        rng.item_key("cat\ud800.jpg")
    for neither in (1.5, 17.0, None, b"cat"):
        with pytest.raises(TypeError, match="text or a whole number"):
            rng.item_key(neither)  # type: ignore[arg-type]  # that is the test


def test_fractions_are_below_one_and_exact_in_float32() -> None:
    ends = rng.fractions(np.array([0, 255, 256, 2**32 - 1], dtype=np.uint64))
    assert ends.tolist() == [0.0, 0.0, 2.0**-24, 1 - 2.0**-24]
    assert np.array_equal(ends.astype(np.float32).astype(np.float64), ends)
