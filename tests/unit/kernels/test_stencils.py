"""What the operations on neighbourhoods mean, and that each backend of theirs computes the same."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
import scipy.ndimage
import torch
from numpy.typing import NDArray
from skimage.data import astronaut

from kernels import stencils, windows

SHAPES = [(1, 1), (1, 37), (37, 1), (2, 3), (40, 30), (65, 129)]
SIZES = [1, 2, 3, 4, 9, 16, 128]
SIGMAS = [0.0, 0.1, 0.3, 0.5, 1.0, 2.3, 10.0, 32.0]

DROPPED = 0.51 / 255
"""Taken away before rounding, this comes within a level of the exact result and of one whose fraction was dropped twice."""


def image(height: int, width: int, seed: int = 0) -> torch.Tensor:
    pixels = np.random.default_rng(seed).integers(0, 256, (1, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(pixels).to(torch.float32) / 255


def levels(planes: torch.Tensor) -> NDArray[np.uint8]:
    """(H, W, 3) levels of an image."""
    return (planes[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


@pytest.fixture(scope="module")
def photograph() -> NDArray[np.uint8]:
    return np.ascontiguousarray(astronaut()[:240, 100:420])


def planes_of(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(torch.float32) / 255


# ------------------------------------------------------------------------------------------------ two backends
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_opencv_and_kornia_blur_alike(sigma: float, shape: tuple[int, int]) -> None:
    picture, weights = image(*shape), stencils.gaussian(sigma)
    difference = stencils.weighed(picture, weights) - stencils.weighed_by_torch(picture, weights)
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_opencv_and_torch_windows_are_alike(size: int, shape: tuple[int, int]) -> None:
    picture = image(*shape)
    assert torch.equal(stencils.highest(picture, size), stencils.highest_by_torch(picture, size))
    assert torch.equal(stencils.lowest(picture, size), -stencils.highest_by_torch(-picture, size))
    averaged = stencils.weighed_by_torch(picture, np.full(size, 1 / size, dtype=np.float32))
    assert (stencils.averaged(picture, size) - averaged).abs().max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_windows_are_scipys(size: int, shape: tuple[int, int]) -> None:
    picture = image(*shape)
    pixels = levels(picture)
    whole = (size, size, 1)
    assert np.array_equal(
        levels(stencils.lowest(picture, size)), scipy.ndimage.minimum_filter(pixels, whole, mode="reflect")
    )
    assert np.array_equal(
        levels(stencils.highest(picture, size)), scipy.ndimage.maximum_filter(pixels, whole, mode="reflect")
    )
    mean = scipy.ndimage.uniform_filter(pixels.astype(np.float64), whole, mode="reflect")
    assert np.abs(stencils.averaged(picture, size)[0].permute(1, 2, 0).numpy() * 255 - mean).max() < 1e-3


# ------------------------------------------------------------------------------------------------ the same bits
def every_stencil(picture: torch.Tensor) -> list[torch.Tensor]:
    return [
        stencils.weighed(picture, stencils.gaussian(1.7)),
        stencils.averaged(picture, 5),
        stencils.lowest(picture, 7),
        stencils.highest(picture, 6),
        stencils.edges(picture),
        windows.percentile(picture, 30.0, 9),
    ]


def test_threads_change_no_bit() -> None:
    picture = image(480, 640)
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
            results.append(every_stencil(picture))
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    for one, two, three in zip(*results, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)


def test_where_the_picture_lies_in_memory_changes_no_bit() -> None:
    picture = image(61, 83)
    expected = every_stencil(picture)
    for offset in (1, 3, 5, 8):
        memory = torch.empty(picture.numel() + offset)
        moved = memory[offset:].view(picture.shape)
        moved.copy_(picture)
        for one, other in zip(every_stencil(moved), expected, strict=True):
            assert torch.equal(one, other)
    last = picture.contiguous(memory_format=torch.channels_last)
    for one, other in zip(every_stencil(last), expected, strict=True):
        assert torch.equal(one, other)


def test_the_input_stays() -> None:
    picture = image(20, 30)
    before = picture.clone()
    for result in every_stencil(picture):
        assert torch.equal(picture, before)
        assert result.data_ptr() != picture.data_ptr()


# ------------------------------------------------------------------------------------------------ blur
@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0, 1.37, 2.0, 5.0, 10.0])
def test_gaussian_blur_is_scipys_within_a_level(sigma: float, photograph: NDArray[np.uint8]) -> None:
    ours = stencils.weighed(planes_of(photograph), stencils.gaussian(sigma))
    exact = scipy.ndimage.gaussian_filter(photograph.astype(np.float64), (sigma, sigma, 0), mode="reflect")
    assert np.abs(levels(ours) - exact).max() <= 0.51
    on_bytes = scipy.ndimage.gaussian_filter(photograph, (sigma, sigma, 0), mode="reflect")
    assert within_a_level_of_bytes(ours, on_bytes) == 1.0


def within_a_level_of_bytes(image: torch.Tensor, on_bytes: NDArray[np.uint8]) -> float:
    """On bytes scipy drops the fraction after each of its two passes: up to two levels."""
    dropped = levels((image - DROPPED).clamp(0, 1)).astype(int)
    return float((np.abs(dropped - on_bytes) <= 1).mean())


@pytest.mark.parametrize("size", [1, 2, 3, 8, 25, 100])
def test_box_blur_is_scipys_within_a_level(size: int, photograph: NDArray[np.uint8]) -> None:
    on_bytes = scipy.ndimage.uniform_filter(photograph, (size, size, 1), mode="reflect")
    assert within_a_level_of_bytes(stencils.averaged(planes_of(photograph), size), on_bytes) == 1.0


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.12])
def test_a_tiny_sigma_changes_nothing(sigma: float) -> None:
    picture = image(9, 11)
    assert torch.equal(stencils.weighed(picture, stencils.gaussian(sigma)), picture)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_weights_add_up_to_one_and_are_symmetric(sigma: float) -> None:
    weights = stencils.gaussian(sigma)
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(weights, weights[::-1])
    assert len(weights) == 2 * int(4 * sigma + 0.5) + 1


def test_blur_keeps_a_flat_picture() -> None:
    flat = torch.full((1, 3, 20, 30), 100 / 255)
    for result in (stencils.weighed(flat, stencils.gaussian(3.0)), stencils.averaged(flat, 17)):
        assert np.all(levels(result) == 100)


# ------------------------------------------------------------------------------------------------ windows
def test_even_windows_reach_further_to_the_top_and_left() -> None:
    point = torch.zeros(1, 3, 9, 9)
    point[..., 4, 4] = 1.0
    rows, columns = np.nonzero(stencils.highest(point, 4)[0, 0].numpy())
    # a window holds the point if it starts at most 2 above and ends at most 1 below its own pixel
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 6, 3, 6)


def test_mirror_holds_the_edge_twice_and_repeats() -> None:
    assert stencils.mirror(3, 4, 4).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]
    assert stencils.mirror(1, 3, 2).tolist() == [0] * 6


@pytest.mark.parametrize("percent", [0.0, 0.5, 10.0, 33.3, 50.0, 77.5, 99.9, 100.0])
@pytest.mark.parametrize("size", [2, 3, 6, 9])
def test_percentile_is_scipys(size: int, percent: float, photograph: NDArray[np.uint8]) -> None:
    pixels = photograph[60:100, 80:130]
    expected = scipy.ndimage.percentile_filter(pixels, percent, size=(size, size, 1), mode="reflect")
    assert np.array_equal(levels(windows.percentile(planes_of(pixels), percent, size)), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 3), (12, 10)])
@pytest.mark.parametrize("percent", [0.0, 1.0, 50.0, 100.0])
def test_percentile_of_a_window_larger_than_the_picture(percent: float, shape: tuple[int, int]) -> None:
    picture = image(*shape)
    size = 128
    padded = np.pad(levels(picture), ((64, 63), (64, 63), (0, 0)), mode="symmetric")
    expected = np.empty((*shape, 3))
    for y, x in np.ndindex(shape):
        expected[y, x] = np.sort(padded[y : y + size, x : x + size].reshape(-1, 3), axis=0)[windows.rank(percent, size)]
    assert np.array_equal(levels(windows.percentile(picture, percent, size)), expected)


def test_rank() -> None:
    assert [windows.rank(percent, 3) for percent in (0, 11, 12, 50, 99, 100)] == [0, 0, 1, 4, 8, 8]
    assert windows.rank(100, 128) == 128 * 128 - 1


def test_percentile_ends_are_minimum_and_maximum() -> None:
    picture = image(33, 21)
    assert torch.equal(windows.percentile(picture, 0, 8), stencils.lowest(picture, 8))
    assert torch.equal(windows.percentile(picture, 100, 8), stencils.highest(picture, 8))


def test_the_compiler_is_imported_by_its_user_alone() -> None:
    source = "import sys, kernels.ops; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


# ------------------------------------------------------------------------------------------------ edges
@pytest.mark.parametrize("level", [0, 1, 77, 200, 255])
def test_a_flat_picture_has_no_edges(level: int) -> None:
    assert stencils.edges(torch.full((1, 3, 12, 15), level / 255)).max() == 0


def test_the_faintest_edge_is_scaled_to_white() -> None:
    picture = torch.full((1, 3, 9, 9), 100 / 255)
    picture[0, 2, 4, 4] += 1 / 255
    assert stencils.edges(picture).max() == 1.0


def test_edges_are_the_sobel_magnitude(photograph: NDArray[np.uint8]) -> None:
    grey = photograph @ np.array([0.299, 0.587, 0.114])
    magnitude = np.hypot(
        scipy.ndimage.sobel(grey, axis=0, mode="reflect"), scipy.ndimage.sobel(grey, axis=1, mode="reflect")
    )
    ours = stencils.edges(planes_of(photograph))[0, 0].numpy()
    assert np.abs(ours - magnitude / magnitude.max()).max() < 1e-4
