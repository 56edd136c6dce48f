"""Counter-based random numbers: the same on every machine, in any order, for any micro-batch.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The key is the
request's seed; the counter says which number is meant, so nothing is ever "the next" number:

    word 0   draw block << 16 | step     (16 bits each)
    word 1   variant
    word 2   item key, low 32 bits
    word 3   item key, high 32 bits

One block is four draws. Draw 0 of a step is its chance gate, draws 1, 2, ... are its drawn fields in the order they
are written. Block `NOISE_BLOCK` gives the two 32-bit words that seed the step's per-pixel noise.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

NOISE_BLOCK = 0xFFFF
MAX_SEED = 2**53 - 1

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

Words = NDArray[np.uint64]


def philox(counter: Words, seed: int) -> Words:
    """Philox4x32-10 blocks. counter: (..., 4) of 32-bit words; returns the same shape, each word 0 .. 2^32-1."""
    c0, c1, c2, c3 = (np.asarray(counter[..., word]) for word in range(4))
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = p1 >> _HALF ^ c1 ^ np.uint64(k0), p1 & _LOW, p0 >> _HALF ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = k0 + _W0 & 0xFFFFFFFF, k1 + _W1 & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def counters(keys: Words, variants: Words, steps: Words, blocks: Words) -> Words:
    """Counters for broadcast arrays of item keys, variants, steps and draw blocks: shape (broadcast..., 4)."""
    keys, variants, steps, blocks = np.broadcast_arrays(keys, variants, steps, blocks)
    return np.stack([blocks << np.uint64(16) | steps, variants, keys & _LOW, keys >> _HALF], axis=-1)


def fractions(words: Words) -> NDArray[np.float64]:
    """Numbers in [0, 1) with 24 bits, exact in float32, from 32-bit words."""
    return (words >> np.uint64(8)).astype(np.float64) * 2.0**-24


def item_key(key: int | str) -> int:
    """The 64-bit number that stands for an item: the caller's integer, or the first 64 bits of SHA-256 of its name."""
    if isinstance(key, str):
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    if not 0 <= key < 2**64:
        raise ValueError(f"an item key is 0 to 2^64-1, not {key}")
    return key
