"""Means of boxes of pixels: what a picture is smoothed by before it is read at a smaller scale."""

from __future__ import annotations

import torch


def box_sums(pixels: torch.Tensor, high: int, wide: int) -> torch.Tensor:
    """Sums of boxes `high` x `wide` of (H, W, C) pixels, the last ones cut off by the edge: (ceil, ceil, C) float32.

    Sums of uint8 pixels are exact, so no device or thread count changes them.
    """
    most = 255 * high * wide
    if pixels.dtype == torch.uint8:
        kind = torch.int16 if most < 2**15 else torch.int32 if most < 2**31 else torch.int64
    else:
        kind = torch.float32
    return _strided_sum(_strided_sum(pixels, 0, high, kind), 1, wide, kind).to(torch.float32)


def box_counts(side: int, length: int, device: torch.device) -> torch.Tensor:
    """How many pixels each box of `length` along a side holds: all but the last are full."""
    boxes = -(-side // length)
    counts = torch.full((boxes,), float(length), dtype=torch.float32, device=device)
    counts[-1] = float(side - (boxes - 1) * length)
    return counts


def _strided_sum(pixels: torch.Tensor, dim: int, length: int, kind: torch.dtype) -> torch.Tensor:
    """Every `length` neighbours along a dimension added up, in their order."""
    side = pixels.shape[dim]
    rows: tuple[slice, ...] = (slice(None),) * dim
    total = pixels[(*rows, slice(0, None, length))].to(kind, copy=True)
    for place in range(1, min(length, side)):
        part = pixels[(*rows, slice(place, None, length))]
        total.narrow(dim, 0, part.shape[dim]).add_(part)
    return total
