"""Bends: displacement fields of knots and of distances from a middle, and what keeps them from folding over themselves."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import words
from kernels.tensors import Size

MOST_BEND = 0.6
"""Largest change of a displacement from one pixel to the next: below 1 the picture cannot fold over itself."""
Knots = NDArray[np.float64]
"""(rows, columns): values at places spread evenly over a canvas, from edge to edge."""
Line = NDArray[np.float64]


def bend(field: torch.Tensor, stride: int = 1) -> float:
    """How much a displacement (2, H, W) changes from pixel to pixel at most, seen every `stride` pixels."""
    seen = field[:, ::stride, ::stride]
    steps = [seen.diff(dim=dim) for dim in (1, 2) if seen.shape[dim] > 1]
    return math.hypot(*(math.sqrt(float((step * step).sum(dim=0).max())) for step in steps)) / stride if steps else 0.0


def unfolded(field: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """The field, weakened as a whole where it would bend by more than `MOST_BEND`."""
    return field.mul_(min(1.0, MOST_BEND / max(bend(field, stride), 1e-9)))


def centres(side: int) -> Line:
    """(side,): the centres of its pixels."""
    return np.arange(side, dtype=np.float64) + 0.5


def uniforms(rows: int, columns: int, seed: tuple[int, int], channel: int) -> Knots:
    """A number in (0, 1) for each knot."""
    places = torch.arange(rows * columns).view(rows, columns)
    return torch.as_tensor(words.TORCH["uniform"](places, seed, channel)).double().numpy()


def normals(rows: int, columns: int, seed: tuple[int, int], channel: int) -> Knots:
    """A standard normal number for each knot."""
    places = torch.arange(rows * columns).view(rows, columns)
    return torch.as_tensor(words.TORCH["normal"](places, seed, channel)).double().numpy()


def bilinear(across: Knots, down: Knots, size: Size) -> torch.Tensor:
    """(2, H, W) float32 pixels between knots in pixels, straight along rows and columns."""
    return torch.stack([_between(knots, size, _hat) for knots in (across, down)])


def cubic(across: Knots, down: Knots, size: Size) -> torch.Tensor:
    """(2, H, W) float32 pixels through knots in pixels, smoothly (Keys's convolution, a = -1/2, its ends continued)."""
    return torch.stack([_between(_continued(knots), size, _keys) for knots in (across, down)])


def _between(knots: Knots, size: Size, weights: Callable[[int, int], Line]) -> torch.Tensor:
    rows, columns = (weights(side, count) for side, count in zip(size, knots.shape, strict=True))
    whole = torch.from_numpy((rows @ knots).astype(np.float32))
    return torch.matmul(whole, torch.from_numpy(columns.T.astype(np.float32)))


def _hat(side: int, count: int) -> Line:
    """(side, count): the share of each knot at each pixel."""
    place = centres(side) / side * (count - 1)
    shares: Line = np.maximum(1.0 - np.abs(place[:, None] - np.arange(count)), 0.0)
    return shares


def _keys(side: int, count: int) -> Line:
    """(side, count): the same by cubic convolution, of knots with one more before and after the canvas."""
    far = np.abs(centres(side)[:, None] / side * (count - 3) + 1.0 - np.arange(count))
    near, beyond = 1.5 * far**3 - 2.5 * far**2 + 1.0, -0.5 * far**3 + 2.5 * far**2 - 4.0 * far + 2.0
    shares: Line = np.where(far < 1.0, near, np.where(far < 2.0, beyond, 0.0))
    return shares


def _continued(knots: Knots) -> Knots:
    """One more knot on every side, on the straight line through the outermost two."""
    for axis in (0, 1):
        first, second = knots.take([0], axis), knots.take([1], axis)
        last, before = knots.take([-1], axis), knots.take([-2], axis)
        knots = np.concatenate([2 * first - second, knots, 2 * last - before], axis)
    return knots


def from_middle(size: Size, across: float = 0.5, down: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    """x as a row and y as a column of pixel centres, float32, from a point given in fractions of the sides."""
    x = torch.from_numpy((centres(size.width) - across * size.width).astype(np.float32))[None, :]
    y = torch.from_numpy((centres(size.height) - down * size.height).astype(np.float32))[:, None]
    return x, y


def radial(x: torch.Tensor, y: torch.Tensor, stretch: torch.Tensor) -> torch.Tensor:
    """(2, H, W): points are read `stretch` (H, W) times as far from the middle."""
    return torch.stack([x * (stretch - 1.0), y * (stretch - 1.0)])
