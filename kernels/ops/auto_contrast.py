"""auto_contrast: spread each channel over the full range."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Statistic
from kernels.params import Params, Range, Uniform
from kernels.words import Value, where


class AutoContrast(Params):
    """Stretch each channel so that its darkest value becomes 0 and its brightest 1; a channel of one value stays."""

    op: Literal["auto_contrast"] = "auto_contrast"
    cutoff: Annotated[Range, Uniform(0, 0.49, unit="share of the channel's values")] = (0.0, 0.02)
    """Share of the darkest, and of the brightest values that may be lost: outliers do not hold back the others."""


def ends(plane: torch.Tensor, cutoff: float) -> tuple[float, float]:
    """The lowest and the highest of 256 levels that remain when `cutoff` of the values are left out at both ends."""
    counts = torch.bincount((plane * 255.0).round().to(torch.int64).flatten(), minlength=256)
    lost = cutoff * plane.numel()
    low = int((counts.cumsum(0) > lost).to(torch.uint8).argmax())
    high = 255 - int((counts.flip(0).cumsum(0) > lost).to(torch.uint8).argmax())
    return low / 255.0, high / 255.0


def measure(r: torch.Tensor, g: torch.Tensor, b: torch.Tensor, cutoff: float) -> tuple[float, ...]:
    return *ends(r, cutoff), *ends(g, cutoff), *ends(b, cutoff)


def stretched(value: Value, low: float, high: float) -> Value:
    span = high - low
    return where(span > 0.0, (value - low) / where(span > 0.0, span, 1.0), value)


def auto_contrast(
    r: Value,
    g: Value,
    b: Value,
    cutoff: float,
    red_low: float,
    red_high: float,
    green_low: float,
    green_high: float,
    blue_low: float,
    blue_high: float,
) -> tuple[Value, Value, Value]:
    return stretched(r, red_low, red_high), stretched(g, green_low, green_high), stretched(b, blue_low, blue_high)


OP = Op(
    AutoContrast,
    Statistic(measure, ("red_low", "red_high", "green_low", "green_high", "blue_low", "blue_high"), auto_contrast),
    examples=(AutoContrast(cutoff=(0.05, 0.05)), AutoContrast(cutoff=(0.2, 0.2))),
)
