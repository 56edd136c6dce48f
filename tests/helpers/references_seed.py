"""What the seed's operations mean, in plain numpy and scipy: nothing of ours is used here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

Pixels = NDArray[np.uint8]
Arguments = Mapping[str, Any]
_AT = {"r": 0, "g": 1, "b": 2}


def _clipped(values: NDArray[np.float64]) -> Pixels:
    """Values cut to 0..255, fractions dropped."""
    return values.clip(0, 255).astype(np.uint8)


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return np.rint(values.clip(0, 255)).astype(np.uint8)


def brighten(pixels: Pixels, amount: int) -> Pixels:
    return _clipped(pixels + np.float64(amount) / 100 * 255)


def darken(pixels: Pixels, amount: int) -> Pixels:
    return _clipped(pixels - np.float64(amount) / 100 * 255)


def channel_swap(pixels: Pixels, a: str, b: str) -> Pixels:
    order = [0, 1, 2]
    order[_AT[a]], order[_AT[b]] = order[_AT[b]], order[_AT[a]]
    return pixels[:, :, order]


def mute_channel(pixels: Pixels, channel: str) -> Pixels:
    result = pixels.copy()
    result[:, :, _AT[channel]] = 0
    return result


def invert(pixels: Pixels) -> Pixels:
    return 255 - pixels


def tint(pixels: Pixels, channel: str, amount: int) -> Pixels:
    signs = np.full(3, -1.0)
    signs[_AT[channel]] = 1.0
    return _clipped(pixels + signs * (amount / 200 * 255))


def flip(pixels: Pixels, axis: str) -> Pixels:
    return pixels[::-1] if axis == "x" else pixels[:, ::-1]


def shift(pixels: Pixels, direction: str, distance: int) -> Pixels:
    rows = {"up": -distance, "down": distance}.get(direction, 0)
    columns = {"left": -distance, "right": distance}.get(direction, 0)
    return np.roll(pixels, (rows, columns), axis=(0, 1))


def gaussian_blur(pixels: Pixels, amount: int) -> Pixels:
    return _rounded(ndimage.gaussian_filter(pixels.astype(np.float64), (amount / 100, amount / 100, 0), mode="reflect"))


def uniform_blur(pixels: Pixels, size: int) -> Pixels:
    if size == 0:
        return pixels
    return _rounded(ndimage.uniform_filter(pixels.astype(np.float64), (size, size, 1), mode="reflect"))


def min_filter(pixels: Pixels, size: int) -> Pixels:
    return np.asarray(ndimage.minimum_filter(pixels, (size, size, 1), mode="reflect"))


def max_filter(pixels: Pixels, size: int) -> Pixels:
    return np.asarray(ndimage.maximum_filter(pixels, (size, size, 1), mode="reflect"))


def percentile_filter(pixels: Pixels, percentile: int, size: int) -> Pixels:
    return np.asarray(ndimage.percentile_filter(pixels, percentile, (size, size, 1), mode="reflect"))


def edge_filter(pixels: Pixels, image_type: str) -> Pixels:
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    magnitude = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    edges = (magnitude * (255 / magnitude.max()))[:, :, None]
    return _rounded(edges.repeat(3, 2) if image_type == "edge_map" else pixels + edges / 2)


REFERENCES: Mapping[str, Callable[..., Pixels]] = {
    function.__name__: function
    for function in (
        brighten, darken, channel_swap, mute_channel, invert, tint, flip, shift, gaussian_blur, uniform_blur,
        min_filter, max_filter, percentile_filter, edge_filter,
    )
}  # fmt: skip
"""The operations whose result is fixed, by name."""

FIXED: tuple[Arguments, ...] = (
    *({"processing": name, "amount": amount} for name in ("brighten", "darken") for amount in (0, 1, 37, 50, 100)),
    *({"processing": "channel_swap", "a": a, "b": b} for a, b in ("rg", "rb", "gb", "br", "gg")),
    *({"processing": "mute_channel", "channel": channel} for channel in "rgb"),
    {"processing": "invert"},
    *({"processing": "tint", "channel": channel, "amount": amount} for channel in "rgb" for amount in (0, 33, 100)),
    *({"processing": "flip", "axis": axis} for axis in "xy"),
    *(
        {"processing": "shift", "direction": to, "distance": by}
        for to in ("up", "down", "left", "right")
        for by in (1, 17, 999)
    ),
    *({"processing": "gaussian_blur", "amount": amount} for amount in (0, 5, 50, 137, 200)),
    *({"processing": "uniform_blur", "size": size} for size in (0, 1, 2, 5, 30, 100)),
    *({"processing": name, "size": size} for name in ("min_filter", "max_filter") for size in (1, 2, 7, 40, 128)),
    *(
        {"processing": "percentile_filter", "percentile": percentile, "size": size}
        for percentile, size in ((0, 3), (50, 3), (50, 4), (25, 9), (80, 30), (100, 5), (99, 128))
    ),
    *({"processing": "edge_filter", "image_type": image_type} for image_type in ("edge_map", "edge_enhanced")),
)
"""Arguments of fixed operations, every operation among them, at the ends of its ranges and between."""


def expected(pixels: Pixels, arguments: Arguments) -> Pixels:
    """What a fixed operation makes of a picture."""
    fields = {name: value for name, value in arguments.items() if name != "processing"}
    return REFERENCES[arguments["processing"]](pixels, **fields)


def assert_near(result: Pixels, reference: Pixels, where: NDArray[np.bool_] | None = None, levels: int = 1) -> None:
    """At least 99.5 % of the values are within one level."""
    assert result.shape == reference.shape
    near = np.abs(result.astype(int) - reference) <= levels
    share = float((near if where is None else near[where]).mean())
    assert share >= 0.995, (
        f"{share:.4%} of the values are within {levels}; {np.abs(result.astype(int) - reference).max()} at most"
    )


def assert_rotated(pixels: Pixels, result: Pixels, angle: int) -> None:
    """Bilinear about the centre, counter-clockwise, black outside, the two pixels around the border left out."""
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    down, right = rows - (height - 1) / 2, columns - (width - 1) / 2
    turn = np.deg2rad(angle)
    source_rows = np.cos(turn) * down + np.sin(turn) * right + (height - 1) / 2
    source_columns = -np.sin(turn) * down + np.cos(turn) * right + (width - 1) / 2
    reference = np.dstack(
        [
            ndimage.map_coordinates(pixels[:, :, at].astype(np.float64), [source_rows, source_columns], order=1)
            for at in range(3)
        ]
    )
    inside = (source_rows > 2) & (source_rows < height - 3) & (source_columns > 2) & (source_columns < width - 3)
    outside = (source_rows < -2) | (source_rows > height + 1) | (source_columns < -2) | (source_columns > width + 1)
    assert_near(result, _rounded(reference), inside)
    assert not result[outside].any()


def zoomed_place(pixels: Pixels, result: Pixels, amount: int) -> tuple[int, int]:
    """Left and top of the window of the enlarged picture that a zoom shows; fails where it shows none."""
    height, width = pixels.shape[:2]
    factor = 1 + amount / 100
    high, wide = int(height * factor), int(width * factor)
    rows = (np.arange(high) + 0.5) / factor - 0.5
    columns = (np.arange(wide) + 0.5) / factor - 0.5
    grid = np.meshgrid(rows, columns, indexing="ij")
    enlarged = np.dstack(
        [ndimage.map_coordinates(pixels[:, :, at].astype(np.float64), grid, order=1, mode="nearest") for at in range(3)]
    )
    windows = np.lib.stride_tricks.sliding_window_view(_rounded(enlarged), (height, width, 3))[:, :, 0]
    apart = np.abs(windows[:, :, 2:-2, 2:-2].astype(np.int16) - result[2:-2, 2:-2]).mean(axis=(2, 3, 4))
    top, left = np.unravel_index(np.argmin(apart), apart.shape)
    assert_near(result[2:-2, 2:-2], windows[top, left][2:-2, 2:-2])
    return int(left), int(top)


def cut_square(pixels: Pixels, result: Pixels, amount: int) -> tuple[int, int, Pixels]:
    """Left, top and colours of the square that a cutout filled; fails where it is not one of that area."""
    height, width = pixels.shape[:2]
    changed = (pixels != result).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    top, left = rows[0], columns[0]
    high, wide = rows[-1] - top + 1, columns[-1] - left + 1
    side = (amount / 100 * height * width) ** 0.5
    assert abs(high - side) <= 1
    assert abs(wide - side) <= 1
    square = changed[top : top + high, left : left + wide]
    assert square.mean() > 0.99  # a random colour may be the one that was there
    return int(left), int(top), result[top : top + high, left : left + wide]


def noisy_share(draws_share: float, count: int) -> float:
    """Share of `count` pixels hit at least once by that share of draws with replacement."""
    return 1 - (1 - 1 / count) ** int(draws_share * count)


def assert_noise(pixels: Pixels, result: Pixels, processing: str, amount: int) -> None:
    """The right share of pixels changed, to the right colours, everywhere alike. pixels: neither black nor white."""
    count = pixels.shape[0] * pixels.shape[1]
    changed = (pixels != result).any(axis=2)
    share = noisy_share(amount / 100, count)
    tolerance = 5 * (share * (1 - share) / count) ** 0.5 + 1e-9
    assert abs(changed.mean() - share) <= tolerance, f"{changed.mean():.4f} of the pixels, not {share:.4f}"
    if not amount:
        return
    colours = result[changed]
    if processing == "rainbow_noise":
        assert_even(colours.reshape(-1), 256)
    else:
        assert (colours == (255 if processing == "salt_noise" else 0)).all()
    rows, columns = np.nonzero(changed)
    assert_even(rows * 8 // pixels.shape[0], 8)
    assert_even(columns * 8 // pixels.shape[1], 8)


def assert_even(values: NDArray[Any], kinds: int) -> None:
    """Each of 0 ... kinds - 1 is about as frequent as the others (chi-squared, one false alarm in a million)."""
    counts = np.bincount(values, minlength=kinds)
    assert len(counts) == kinds
    assert stats.chisquare(counts).pvalue > 1e-6, counts
