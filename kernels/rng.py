"""Counter-based random numbers: the same on every machine, in any order, for any micro-batch.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The key is the
request's seed; the counter says which number is meant, so nothing is ever "the next" number:

    word 0   draw block << 16 | step     (16 bits each)
    word 1   variant
    word 2   item key, low 32 bits
    word 3   item key, high 32 bits

One block is four draws. Draw 0 of a step is its chance gate, draws 1, 2, ... are its drawn fields in the order they
are written. Block `NOISE_BLOCK` gives the two 32-bit words that seed the step's per-pixel noise, block
`PARTNER_BLOCK` the two, high word first, that choose its partners (`partners`).
"""

from __future__ import annotations

import hashlib
import operator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NOISE_BLOCK = 0xFFFF
PARTNER_BLOCK = 0xFFFE
MAX_SEED = 2**53 - 1

_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], dtype=np.uint64)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

Words = NDArray[np.uint64]


def philox(counter: Words, seed: int) -> Words:
    """Philox4x32-10 blocks. counter: (..., 4) of 32-bit words; returns the same shape, each word 0 .. 2^32-1."""
    words = np.ascontiguousarray(counter.reshape(-1, 4).T)
    # words 0 and 2 are multiplied, 1 and 3 mixed in: as pairs, which halves the calls of numpy
    even, odd = words[0::2], words[1::2]
    for key in _round_keys(seed):
        product = _MULTIPLIERS * even
        even = (product >> _HALF)[::-1] ^ odd ^ key
        odd = (product & _LOW)[::-1]
    return np.stack([even[0], odd[0], even[1], odd[1]], axis=-1).reshape(counter.shape)


@lru_cache(maxsize=64)
def _round_keys(seed: int) -> Words:
    """(rounds, 2, 1): the two key words of each round."""
    key = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    keys = [[(word + turn * weyl) & 0xFFFFFFFF for word, weyl in zip(key, _WEYL, strict=True)] for turn in range(_ROUNDS)]
    return np.array(keys, dtype=np.uint64)[:, :, None]


def counters(keys: Words, variants: Words, steps: Words, blocks: Words) -> Words:
    """Counters for broadcast arrays of item keys, variants, steps and draw blocks: shape (broadcast..., 4)."""
    counter = np.empty((*np.broadcast_shapes(keys.shape, variants.shape, steps.shape, blocks.shape), 4), np.uint64)
    for place, word in enumerate((blocks << np.uint64(16) | steps, variants, keys & _LOW, keys >> _HALF)):
        counter[..., place] = word
    return counter


def fractions(words: Words) -> NDArray[np.float64]:
    """Numbers in [0, 1) with 24 bits, exact in float32, from 32-bit words."""
    return (words >> np.uint64(8)).astype(np.float64) * 2.0**-24


def item_key(key: int | str) -> int:
    """The 64-bit number that stands for an item: the caller's integer, or the first 64 bits of SHA-256 of its name.

    ValueError for a number out of range and for text that UTF-8 cannot write; TypeError for anything else.
    """
    if isinstance(key, str):
        try:
            return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        except UnicodeEncodeError:
            raise ValueError(f"an item key is text without halves of surrogates, not {key!a}") from None
    try:
        number = operator.index(key)
    except TypeError:
        raise TypeError(f"an item key is text or a whole number, not {key!r}") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"an item key is 0 to 2^64-1, not {key}")
    return number
