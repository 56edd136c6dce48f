"""Covers: what one picture hides of the labels and the class mask of those beneath it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.coverage import Coverage, coverage
from kernels.labels import read_mask
from kernels.op import Layer, Region
from kernels.tensors import Size

Mask = NDArray[np.generic]
"""Class numbers (H, W), uint8 or uint16."""
_CELLS = 96
"""How finely it is looked how much of a label is covered: in so many cells a side at most."""


@dataclass(frozen=True)
class Cover:
    """What a layer hides of those beneath it; None: everything within its region."""

    region: Region
    opacity: Coverage | None


def is_left(outline: NDArray[np.float64], cover: Cover, least: float) -> bool:
    """Whether a share of at least `least` of an outline stays to be seen."""
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    region = cover.region
    if right <= region.left or left >= region.right or bottom <= region.top or top >= region.bottom:
        return True
    columns, rows = (min(max(math.ceil(side), 1), _CELLS) for side in (right - left, bottom - top))
    scale = np.array([columns / max(right - left, 1e-9), rows / max(bottom - top, 1e-9)])
    shape = coverage((outline - (left, top)) * scale, Size(rows, columns)).astype(np.float64)
    across = _overlap(columns, left, scale[0], region.left, region.right)
    down = _overlap(rows, top, scale[1], region.top, region.bottom)
    hidden = shape * across * down[:, None]
    if cover.opacity is not None:
        x = np.clip(((np.arange(columns) + 0.5) / scale[0] + left).astype(int), region.left, region.right - 1)
        y = np.clip(((np.arange(rows) + 0.5) / scale[1] + top).astype(int), region.top, region.bottom - 1)
        hidden *= cover.opacity[(y - region.top)[:, None], x - region.left]
    whole = float(shape.sum())
    return whole > 0.0 and whole - float(hidden.sum()) >= least * whole


def _overlap(cells: int, begin: float, scale: float, low: float, high: float) -> NDArray[np.float64]:
    """The share of each cell that lies within low .. high of the canvas."""
    edges = np.clip((np.array([low, high]) - begin) * scale, 0, cells)
    places = np.arange(cells)
    shares: NDArray[np.float64] = np.clip(np.minimum(edges[1], places + 1) - np.maximum(edges[0], places), 0.0, 1.0)
    return shares


def is_hidden(x: float, y: float, cover: Cover) -> bool:
    left, top, right, bottom = cover.region
    if not (left <= x < right and top <= y < bottom):
        return False
    return cover.opacity is None or bool(cover.opacity[int(y) - top, int(x) - left] >= 0.5)


def with_mask(
    mask: Mask | None, layer_mask: str | None, layer: Layer, shown: float | Coverage | None, size: Size
) -> Mask | None:
    """The canvas's class mask with a layer's, which replaces what is beneath it.

    Of a blend the heavier one's class stands, and the other's where that is 0.
    """
    if shown is None or (mask is None and layer_mask is None):
        return mask
    left, top, right, bottom = layer.region
    above = np.zeros(layer.region.size, np.uint8) if layer_mask is None else read_mask(layer_mask)
    beneath = np.zeros(size, np.uint8) if mask is None else mask
    canvas = beneath.astype(np.promote_types(beneath.dtype, above.dtype))
    target = canvas[top:bottom, left:right]
    if isinstance(shown, float) and shown < 1.0:
        heavy, light = (above, target.copy()) if shown > 0.5 else (target.copy(), above)
        target[:] = np.where(heavy != 0, heavy, light if shown > 0.0 else 0)
    elif isinstance(shown, float):
        target[:] = above
    else:
        np.copyto(target, above.astype(canvas.dtype), where=shown >= 0.5)
    return canvas
