"""Blending: what several chains of steps make of a picture, summed, or of its parts, put together. On float planes."""

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
    if blending.step.pieces:
        return _in_parts(planes, blending, through)
    total = torch.zeros_like(planes)
    for weight, chain in zip(blending.step.weights, blending.chains, strict=True):
        total += (through(planes, chain) if chain else planes) * weight
    return total.clamp_(0.0, 1.0)


def _in_parts(planes: torch.Tensor, blending: Blending, through: Through) -> torch.Tensor:
    canvas = planes.clone(memory_format=torch.contiguous_format)
    for piece, chain in zip(blending.step.pieces, blending.chains, strict=True):
        left, top, right, bottom = piece.region
        if not chain or right <= left or bottom <= top:
            continue
        target = canvas[:, top:bottom, left:right]
        made = through(planes[:, top:bottom, left:right].contiguous(), chain)
        if piece.share is None:
            target.copy_(made)
        else:
            # a share of 0 or 1 gives the bits of the one or the other
            target.copy_(torch.lerp(target, made, torch.from_numpy(piece.share).to(planes.device).expand_as(target)))
    return canvas.clamp_(0.0, 1.0)
