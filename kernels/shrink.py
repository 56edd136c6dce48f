"""Sums of boxes of pixels: what a picture is smoothed by before it is read at a smaller scale."""

from __future__ import annotations

import torch

from kernels.route import Boxes, Lattice


def box_sums(pixels: torch.Tensor, of: Boxes, read: Lattice, wraps: bool) -> torch.Tensor:
    """Sums of the boxes of (H, W, C) pixels: (rows, columns, C) float32. Beside the picture is 0, or its other side.

    Sums of uint8 pixels are exact, so no device or thread count changes them.
    """
    most = 255 * of.high * of.wide
    if pixels.dtype == torch.uint8:
        kind = torch.int16 if most < 2**15 else torch.int32 if most < 2**31 else torch.int64
    else:
        kind = torch.float32
    tall = _sums(pixels, 0, (read.top, of.high, of.down, read.rows), wraps, kind)
    return _sums(tall, 1, (read.left, of.wide, of.across, read.columns), wraps, kind).to(torch.float32)


def box_counts(side: int, start: int, length: int, apart: int, count: int, device: torch.device) -> torch.Tensor:
    """How many pixels of a side each of its boxes holds: (count,) float32."""
    first = torch.arange(count, device=device) * apart + start
    return ((first + length).clamp(max=side) - first.clamp(min=0)).to(torch.float32)


def _sums(pixels: torch.Tensor, dim: int, boxes: tuple[int, int, int, int], wraps: bool, kind: torch.dtype) -> torch.Tensor:
    """`length` neighbours along a dimension added up, in their order, from `start` on and every `apart`."""
    start, length, apart, count = boxes
    side, stop = pixels.shape[dim], start + (count - 1) * apart + length
    if wraps and stop > side:
        pixels = torch.cat([pixels, pixels.narrow(dim, 0, stop - side)], dim)
        side = stop
    shape = list(pixels.shape)
    shape[dim] = count
    total = torch.zeros(shape, dtype=kind, device=pixels.device)
    for place in range(length):
        # boxes whose pixel at this place lies on the picture
        first = max(-(-(-start - place) // apart), 0)
        end = min((side - 1 - start - place) // apart + 1, count)
        if first < end:
            begin = start + place + first * apart
            rows = (slice(None),) * dim + (slice(begin, begin + (end - first - 1) * apart + 1, apart),)
            total.narrow(dim, first, end - first).add_(pixels[rows])
    return total
