"""PNG: every kind and depth, interlaced or not, against files written value by value."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from kernels.codec import decode
from tests.helpers.picture_files import chunk, png_file


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("kind", "depth"),
    [
        (0, 1),
        (0, 2),
        (0, 4),
        (0, 8),
        (0, 16),
        (2, 8),
        (2, 16),
        (3, 1),
        (3, 2),
        (3, 4),
        (3, 8),
        (4, 8),
        (4, 16),
        (6, 8),
        (6, 16),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (13, 21)])
def test_every_kind_of_png(kind: int, depth: int, interlaced: bool, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(depth)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    values = rng.integers(0, 2**depth, (*size, channels))
    palette = rng.integers(0, 256, (2 ** min(depth, 8), 3), dtype=np.uint8)
    content = png_file(values, kind, depth, interlaced, before=[chunk(b"PLTE", palette.tobytes())] if kind == 3 else [])
    levels = values if kind == 3 else np.rint(values * (255 / (2**depth - 1))).astype(np.uint8)
    colours = {
        0: lambda: levels.repeat(3, 2),
        2: lambda: levels,
        3: lambda: palette[levels[:, :, 0]],
        4: lambda: np.dstack([levels[:, :, :1].repeat(3, 2), levels[:, :, 1]]),
        6: lambda: levels,
    }[kind]()
    np.testing.assert_array_equal(decode(content, alpha="keep"), colours)


@pytest.mark.parametrize(("kind", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)])
def test_a_transparent_colour_is_compared_at_full_depth(kind: int, depth: int) -> None:
    channels = 1 if kind == 0 else 3
    values = np.zeros((1, 2, channels), np.int64)
    values[0, 0] = 1
    values[0, 1] = 0
    key = struct.pack(f">{channels}H", *[1] * channels)
    content = png_file(values, kind, depth, before=[chunk(b"tRNS", key)])
    assert decode(content, alpha="keep")[0, :, 3].tolist() == [0, 255]


def test_a_palette_with_transparency() -> None:
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    chunks = [chunk(b"PLTE", palette.tobytes()), chunk(b"tRNS", bytes([0, 128]))]
    content = png_file(np.array([[[0], [1], [2]]]), 3, 8, before=chunks)
    kept = [[255, 0, 0, 0], [0, 255, 0, 128], [0, 0, 255, 255]]
    assert decode(content, alpha="keep").tolist() == [kept]
    assert decode(content).tolist() == [[[0, 0, 0], [0, 128, 0], [0, 0, 255]]]


def test_a_palette_entry_that_is_missing_is_black() -> None:
    content = png_file(np.array([[[0], [200]]]), 3, 8, before=[chunk(b"PLTE", bytes([9, 8, 7]))])
    assert decode(content).tolist() == [[[9, 8, 7], [0, 0, 0]]]


def test_alpha_is_composited_over_black_exactly() -> None:
    colours, alphas = np.meshgrid(np.arange(256), np.arange(256))
    values = np.dstack([colours, colours, colours, alphas])
    expected = np.rint(colours * alphas / 255).astype(np.uint8)
    np.testing.assert_array_equal(decode(png_file(values, 6))[:, :, 0], expected)
