"""What a chain of geometric steps should show, in float64: slow, and independent of how the kernels follow and read it.

Points of the last canvas are followed back step by step, every canvas on the way honoured, and the first canvas is read
once, bilinearly. Given a picture that is several times finer, and several points in each pixel, it is the truth that
results are measured against: what a camera would have seen that took the moved scene at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.chain import Link

Levels = NDArray[np.float64]
"""(H, W, 3) levels of 255, or (H, W) coordinates in pixels."""
_MODES = {"constant": "constant", "replicate": "edge", "reflect": "symmetric", "wrap": "wrap"}
_BEHIND = -1e6


class Followed(NamedTuple):
    """Where points of the last canvas lie on the first, and what hides them: (coverage 0..1, fill), first step first."""

    x: Levels
    y: Levels
    veils: tuple[tuple[Levels, tuple[float, float, float]], ...]


def followed(links: Sequence[Link], x: Levels, y: Levels) -> Followed:
    """Points of the last canvas followed back to the first. An edge on the way is as soft as one of its pixels is wide."""
    veils: list[tuple[Levels, tuple[float, float, float]]] = []
    for number, link in reversed(list(enumerate(links))):
        x, y = _back(link, x, y)
        if number == 0:
            break
        height, width = link.size_in
        if link.border == "constant":
            covered = (np.clip(np.minimum(p, side - p) + 0.5, 0.0, 1.0) for p, side in ((x, width), (y, height)))
            veils.insert(0, (np.prod(np.stack(list(covered)), axis=0), link.fill))
        x, y = folded(x, width, link.border), folded(y, height, link.border)
    return Followed(x, y, tuple(veils))


def shown(links: Sequence[Link], pixels: Levels, points: int = 1, finer: int = 1) -> Levels:
    """(H, W, 3) levels of the last canvas. pixels: the first canvas, `finer` times finer than the chain is written for.

    points: how many points are read along each side of an output pixel, and averaged.
    """
    rows, columns = links[-1].size_out
    places = (np.arange(points) + 0.5) / points
    total = np.zeros((rows, columns, 3))
    for down in places:
        for across in places:
            y, x = np.meshgrid(np.arange(rows) + down, np.arange(columns) + across, indexing="ij")
            found = followed(links, x, y)
            levels = read(pixels, found.x * finer, found.y * finer, links[0].border, links[0].fill)
            for coverage, fill in found.veils:
                levels = coverage[..., None] * levels + (1.0 - coverage[..., None]) * 255.0 * np.array(fill)
            total += levels
    mean: Levels = total / points**2
    return mean


def read(pixels: Levels, x: Levels, y: Levels, border: str, fill: tuple[float, float, float]) -> Levels:
    """Levels at points in continuous coordinates, bilinear between pixel centres."""
    height, width = pixels.shape[:2]
    ring = ((1, 1), (1, 1), (0, 0))
    if border == "constant":
        around = np.pad(pixels - 255.0 * np.array(fill), ring) + 255.0 * np.array(fill)
        x, y = np.clip(x, -0.5, width + 0.5), np.clip(y, -0.5, height + 0.5)
    else:
        around = np.pad(pixels, ring, mode=_MODES[border])  # type: ignore[call-overload]  # a mode by name
        x, y = folded(x, width, border, 0.0), folded(y, height, border, 0.0)
    left, top = np.floor(x + 0.5).astype(int), np.floor(y + 0.5).astype(int)
    right, bottom = np.minimum(left + 1, width + 1), np.minimum(top + 1, height + 1)
    across, down = (x + 0.5 - left)[..., None], (y + 0.5 - top)[..., None]
    upper = around[top, left] * (1.0 - across) + around[top, right] * across
    lower = around[bottom, left] * (1.0 - across) + around[bottom, right] * across
    levels: Levels = upper * (1.0 - down) + lower * down
    return levels


def folded(values: Levels, side: int, border: str, margin: float = 0.5) -> Levels:
    """Coordinates brought back onto a canvas of `side` pixels, `margin` pixels from its ends."""
    if border == "reflect":
        values = side - np.abs(side - np.mod(values, 2 * side))
    elif border == "wrap":
        values = np.mod(values, side)
    clipped: Levels = np.clip(values, margin, side - margin)
    return clipped


def _back(link: Link, x: Levels, y: Levels) -> tuple[Levels, Levels]:
    """Points of a step's output canvas on its input canvas."""
    if link.displacement is not None:
        field = link.displacement.numpy().astype(np.float64)
        shift = read(np.moveaxis(field, 0, -1), x, y, "replicate", (0.0, 0.0, 0.0))
        return x + shift[..., 0], y + shift[..., 1]
    a, b, c, d, e, f, g, h, i = link.back
    w = g * x + h * y + i
    seen = w > 1e-6
    safe = np.where(seen, w, 1.0)
    return tuple(np.where(seen, (p * x + q * y + r) / safe, _BEHIND) for p, q, r in ((a, b, c), (d, e, f)))  # type: ignore[return-value]  # two of them


def averaged(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """A picture `factor` times coarser: the mean of whole boxes, rounded; rows and columns that fill none are left out."""
    rows, columns = (side // factor for side in pixels.shape[:2])
    boxes = pixels[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    return np.asarray(np.rint(boxes.mean(axis=(1, 3))), dtype=np.uint8)


def psnr(levels: NDArray[np.uint8], truth: Levels) -> float:
    """Peak signal to noise ratio in decibels."""
    return float(10.0 * np.log10(255.0**2 / np.mean((levels - truth) ** 2)))
