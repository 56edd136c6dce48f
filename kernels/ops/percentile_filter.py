"""percentile_filter: the median, or any other percentile, of a square."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.windows import percentile as percentile_of_windows


class PercentileFilter(Params):
    """Replace every 8-bit value by a percentile of a square window, channel by channel.

    Of the window's n values in order it is number n percentile / 100, fraction dropped, counted from 0: 50 is the
    median of an odd window, 0 the smallest, 100 the largest. Outside the picture is its mirror image.
    """

    op: Literal["percentile_filter"] = "percentile_filter"
    percentile: Annotated[Range, Uniform(0, 100, unit="percent")] = (50.0, 50.0)
    """Share of the window's values that lie below."""
    size: Annotated[IntegerRange, Integer(1, 128, unit="pixels")] = (3, 5)
    """Side of the window; an even one reaches one pixel further to the top and left."""


def percentile_filter(image: torch.Tensor, percentile: float, size: int) -> torch.Tensor:
    return percentile_of_windows(image, percentile, size)


OP = Op(
    PercentileFilter,
    Stencil(percentile_filter),
    examples=(PercentileFilter(size=(9, 9)), PercentileFilter(percentile=(80.0, 80.0), size=(6, 6))),
)
