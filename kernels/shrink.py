"""Sums of boxes of pixels: what a picture is smoothed by before it is read at a smaller scale."""

from __future__ import annotations

import torch

from kernels.params import Border
from kernels.route import Boxes, Lattice


def box_sums(pixels: torch.Tensor, of: Boxes, read: Lattice, border: Border) -> torch.Tensor:
    """Sums of the boxes of (H, W, C) pixels: (rows, columns, C) float32. Beyond the picture is what the border shows, or 0.

    Sums of uint8 pixels are exact, so no device or thread count changes them.
    """
    most = 255 * of.weight
    if pixels.dtype == torch.uint8:
        kind = torch.int16 if most < 2**15 else torch.int32 if most < 2**31 else torch.int64
    else:
        kind = torch.float32
    tall = _sums(pixels, 0, (read.top, of.high, of.down, read.rows, of.row_weight), border, kind)
    across = (read.left, of.wide, of.across, read.columns, of.column_weight)
    return _sums(tall, 1, across, border, kind).to(torch.float32)


def box_counts(pixels: torch.Tensor, of: Boxes, read: Lattice) -> torch.Tensor:
    """How often each box counts pixels that lie on the picture: (rows, columns, 1) float32."""
    return box_sums(torch.ones_like(pixels[..., :1]), of, read, "constant")


def _sums(
    pixels: torch.Tensor, dim: int, boxes: tuple[int, int, int, int, int], border: Border, kind: torch.dtype
) -> torch.Tensor:
    """`length` neighbours along a dimension added up, in their order, from `start` on and every `apart`."""
    start, length, apart, count, weight = boxes
    side = pixels.shape[dim]
    places = torch.arange(start, start + (count - 1) * apart + length, device=pixels.device)
    seen = pixels.index_select(dim, _folded(places, side, border)).to(kind)
    if border == "constant":
        beyond = (places < 0) | (places >= side)
        seen.index_fill_(dim, beyond.nonzero()[:, 0], 0)
    shape = list(pixels.shape)
    shape[dim] = count
    total = torch.zeros(shape, dtype=kind, device=pixels.device)
    for place in range(length):
        rows = (slice(None),) * dim + (slice(place, place + (count - 1) * apart + 1, apart),)
        is_heavy = place == 0 if length == 2 else 0 < place < length - 1
        total.add_(seen[rows], alpha=weight if is_heavy else 1)
    return total


def _folded(places: torch.Tensor, side: int, border: Border) -> torch.Tensor:
    """Pixels that are seen at places of a side, which go beyond it by less than its length."""
    if border == "wrap":
        return places % side
    if border == "reflect":
        places = torch.where(places < 0, -1 - places, torch.where(places < side, places, 2 * side - 1 - places))
    return places.clamp(0, side - 1)
