"""gzip as a stream: what Python's own module makes of it, in bounded time whatever it holds."""

from __future__ import annotations

import gzip
import io
import time
import zlib

import numpy as np
import pytest

from service.errors import ArchiveCorrupt
from service.uploads.gunzip import Gunzip

RNG = np.random.default_rng(5)
NOISE = RNG.integers(0, 256, 300_000, np.uint8).tobytes()
TEXT = b"pictures of cats, " * 20_000
MADE = {
    "empty": gzip.compress(b""),
    "noise": gzip.compress(NOISE),
    "text": gzip.compress(TEXT),
    "members": b"".join(gzip.compress(NOISE[start : start + 5000]) for start in range(0, 100_000, 5000)),
    "empty members": gzip.compress(b"") * 900 + gzip.compress(b"end"),
    "padding": gzip.compress(TEXT) + bytes(100_000),
    "padding between": gzip.compress(TEXT) + bytes(40_000) + gzip.compress(NOISE) + bytes(7),
    "name": gzip.compress(b"a")[:3] + b"\x08" + bytes(6) + b"N" * 60_000 + b"\0" + gzip.compress(TEXT)[10:],
}


def unpacked(content: bytes, count: int = 70_001) -> bytes:
    reader, found = Gunzip(io.BytesIO(content)), list[bytes]()
    while piece := reader.read(count):
        assert len(piece) == count or not reader.read(1)
        found.append(piece)
    return b"".join(found)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("count", [512, 70_001, 10**7])
def test_it_is_what_python_makes_of_it(name: str, count: int) -> None:
    assert unpacked(MADE[name], count) == gzip.decompress(MADE[name])


@pytest.mark.parametrize("cut", [1, 9, 11, 30_000, 200_000, -9, -8, -1])
def test_what_is_cut_short(cut: int) -> None:
    with pytest.raises(EOFError):
        unpacked(MADE["noise"][:cut])


@pytest.mark.parametrize(
    "content",
    [MADE["noise"][:-8] + bytes(8), MADE["text"] + b"garbage", MADE["text"][:50] + b"x" * 9 + MADE["text"][59:]],
    ids=["sum", "behind", "within"],
)
def test_what_is_damaged(content: bytes) -> None:
    with pytest.raises(zlib.error):
        unpacked(content)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b\x08\x08" + bytes(6) + b"A" * 20_000_000,
        gzip.compress(b"") * 400_000,
        gzip.compress(b"x") * 400_000,
        gzip.compress(b"x") + bytes(20_000_000),
    ],
    ids=["a name without an end", "empty members", "members of a byte", "padding"],
)
def test_what_is_made_to_exhaust(content: bytes) -> None:
    begun_s = time.process_time()
    with pytest.raises(ArchiveCorrupt):
        unpacked(content)
    assert time.process_time() - begun_s < 1.0, "byte by byte they take 0.35 s for each megabyte"
