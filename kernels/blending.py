"""Blending: the sum of what several chains of steps make of a picture, on float planes, the same for every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from kernels.stages import Blending, Stage

Through = Callable[[torch.Tensor, Sequence[Stage]], torch.Tensor]
"""through(planes, stages) -> the planes after all stages, which need not be memory of their own."""


def blended(planes: torch.Tensor, blending: Blending, through: Through) -> torch.Tensor:
    """(3, H, W) float32 0..1 after the step, in fresh memory. planes: the same before it, not changed.

    through: a backend's own way on float planes, that does not change those that it is given.
    """
    total = torch.zeros_like(planes)
    for weight, chain in zip(blending.weights, blending.chains, strict=True):
        total += (through(planes, chain) if chain else planes) * weight
    return total.clamp_(0.0, 1.0)
