"""otsu_threshold: black and white, divided where the picture itself divides best."""

from __future__ import annotations

from typing import Literal

import torch

from kernels.colors import luma
from kernels.op import Op, Statistic
from kernels.params import Params
from kernels.tables import counted, grey_levels, otsu
from kernels.words import Value, where


class OtsuThreshold(Params):
    """Make grey values above a threshold white and the others black; the threshold parts them into two tight groups.

    Otsu, "A Threshold Selection Method from Gray-Level Histograms", 1979. An even grey becomes white, unless it is black.
    """

    op: Literal["otsu_threshold"] = "otsu_threshold"


def measure(r: torch.Tensor, g: torch.Tensor, b: torch.Tensor) -> tuple[float, ...]:
    return (float(otsu(counted(grey_levels(torch.stack([r, g, b]))))),)


def otsu_threshold(r: Value, g: Value, b: Value, level: float) -> tuple[Value, Value, Value]:
    # grey levels are thousandths: one that ends in a half has been counted with the level above it
    white = where(luma(r, g, b) * 255.0 > level + 0.4995, 1.0, 0.0)
    return white, white, white


OP = Op(OtsuThreshold, Statistic(measure, ("level",), otsu_threshold), examples=(OtsuThreshold(),))
