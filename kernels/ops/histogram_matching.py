"""histogram_matching: the tones of a second picture."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.arrays import levels_of
from kernels.op import Likened, Op
from kernels.ops.fda import layer
from kernels.params import Params, Range, Uniform


class HistogramMatching(Params):
    """Change the levels of each channel so that they are as frequent as those of another picture of the batch."""

    op: Literal["histogram_matching"] = "histogram_matching"
    strength: Annotated[Range, Uniform(0, 1, unit="share")] = (0.5, 1.0)
    """How much of the change is made."""


def blend(image: torch.Tensor, other: torch.Tensor, strength: float) -> torch.Tensor:
    own, its = levels_of(image), levels_of(other)
    matched = np.empty_like(own, dtype=np.float32)
    for channel in range(3):
        counts, wanted = (np.bincount(levels[..., channel].ravel(), minlength=256) for levels in (own, its))
        present = np.flatnonzero(wanted)
        reached = (np.cumsum(counts) / counts.sum(), np.cumsum(wanted)[present] / wanted.sum())
        matched[..., channel] = np.interp(reached[0], reached[1], present)[own[..., channel]]
    changed = torch.from_numpy(matched / np.float32(255.0)).permute(2, 0, 1)[None].to(image.device)
    return image + (changed - image) * strength


OP = Op(
    HistogramMatching,
    Likened(1, layer, blend=blend),
    examples=(HistogramMatching(strength=(1, 1)), HistogramMatching(strength=(0.6, 0.6))),
)
