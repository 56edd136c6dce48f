"""Colour arithmetic that several pixel operations share, in the words of `kernels.words`, and the mean they pivot on."""

from __future__ import annotations

import torch

from kernels.words import Value, clamp, floor, maximum, minimum, where

_STEPS = 2.0**24


def luma(r: Value, g: Value, b: Value) -> Value:
    """The grey picture (ITU-R BT.601)."""
    return 0.299 * r + 0.587 * g + 0.114 * b


def mixed(value: Value, factor: float, pivot: Value | float) -> Value:
    """`pivot` at factor 0, `value` at 1, beyond it above 1."""
    return value * factor + (1.0 - factor) * pivot


def turned(r: Value, g: Value, b: Value, turn: float) -> tuple[Value, Value, Value]:
    """The colour with its HSV hue moved by `turn` turns of the colour circle, -1/2 to 1/2; saturation and value stay.

    `at_hue` of `hue_of`, but for `chroma` times as large hues, which spares a division.
    """
    high = maximum(r, maximum(g, b))
    chroma = high - minimum(r, minimum(g, b))
    h = where(high == r, g - b, where(high == g, 2.0 * chroma + (b - r), 4.0 * chroma + (r - g)))
    h = h + (turn * 6.0) * chroma
    circle = 6.0 * chroma
    h = where(h < 0.0, h + circle, where(h < circle, h, h - circle))
    return (
        high - minimum(maximum(minimum(h - chroma, 5.0 * chroma - h), 0.0), chroma),
        high - minimum(maximum(maximum(chroma - h, h - 3.0 * chroma), 0.0), chroma),
        high - minimum(maximum(maximum(3.0 * chroma - h, h - 5.0 * chroma), 0.0), chroma),
    )


def hue_of(r: Value, g: Value, b: Value, high: Value, chroma: Value) -> Value:
    """The HSV hue in sixths of the colour circle, -1 to 5; high: the largest channel, chroma: it less the smallest."""
    # no two channels lie nearer unless they are the same: then there is no hue, and any will do
    scale = 1.0 / maximum(chroma, 1e-30)
    return where(high == r, (g - b) * scale, where(high == g, 2.0 + (b - r) * scale, 4.0 + (r - g) * scale))


def at_hue(high: Value, chroma: Value, sixths: Value) -> tuple[Value, Value, Value]:
    """The colour of a hue, its largest channel `high` and its smallest that less `chroma`."""
    h = sixths - 6.0 * floor(sixths * 0.16666667)
    return (
        high - chroma * clamp(minimum(h - 1.0, 5.0 - h)),
        high - chroma * clamp(maximum(1.0 - h, h - 3.0)),
        high - chroma * clamp(maximum(3.0 - h, h - 5.0)),
    )


def byte(fraction: Value) -> Value:
    """One of the 256 values of a uint8 channel, each equally likely, from an even fraction in (0, 1)."""
    return floor(fraction * 256.0) * 0.003921568627450980


def mean(plane: torch.Tensor) -> float:
    """Mean of a plane of values 0..1; the same in any order of summation."""
    # whole numbers below 2^53 add up exactly in float64: 2^24 steps, pictures of up to 2^29 pixels
    return float((plane * _STEPS).round_().sum(dtype=torch.float64)) / (_STEPS * plane.numel())
