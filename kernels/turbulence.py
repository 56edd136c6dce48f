"""Turbulence: smooth noise of several sizes at once, the same on every machine; of clouds, fog and the like.

Value noise: a number for each point of a lattice, and between points a smooth curve. Finer lattices are added at lower
weights (B. Mandelbrot and J. van Ness's fractional Brownian motion, as computer graphics uses it).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import words
from kernels.arrays import Plane
from kernels.tensors import Size

MOST_OCTAVES = 4
"""Each has a channel of the hash to itself."""
Seed = tuple[int, int]
_Line = NDArray[np.float32]


def turbulence(size: Size, seed: Seed, cell_x: float, cell_y: float, octaves: int = 3, fading: float = 0.5) -> Plane:
    """(H, W) float32 within (0, 1), of mean 1/2. cell: distances of the coarsest lattice's points, in pixels.

    Each next octave is twice as fine and weighs `fading` times as much; none is finer than 2 pixels.
    """
    total, weight, sum_of_weights = np.zeros(size, np.float32), 1.0, 0.0
    for octave in range(min(octaves, MOST_OCTAVES)):
        across, down = max(cell_x / 2**octave, 2.0), max(cell_y / 2**octave, 2.0)
        total += np.float32(weight) * _layer(size, seed, across, down, octave)
        sum_of_weights += weight
        weight *= fading
    total *= np.float32(1.0 / sum_of_weights)
    return total


def _layer(size: Size, seed: Seed, cell_x: float, cell_y: float, channel: int) -> Plane:
    left, share_x = _places(size.width, cell_x)
    top, share_y = _places(size.height, cell_y)
    rows, columns = int(top[-1]) + 2, int(left[-1]) + 2
    # a lattice point's number is its column and row: it does not depend on how large the picture is
    places = torch.arange(rows)[:, None] * 2**15 + torch.arange(columns)
    lattice = torch.as_tensor(words.TORCH["uniform"](places, seed, channel)).numpy()
    wide = lattice[:, left] + (lattice[:, left + 1] - lattice[:, left]) * share_x
    upper = wide[top]
    found: Plane = upper + (wide[top + 1] - upper) * share_y[:, None]
    return found


def _places(side: int, cell: float) -> tuple[NDArray[np.int64], _Line]:
    """The lattice point before each pixel, and how far on its curve to the next one the pixel is: 3 t^2 - 2 t^3."""
    place = (np.arange(side) + 0.5) / cell
    first = np.floor(place).astype(np.int64)
    t = place - first
    return first, (t * t * (3.0 - 2.0 * t)).astype(np.float32)


def smoothstep(values: Plane, low: float, high: float) -> Plane:
    """0 below low, 1 above high, smoothly between."""
    t = np.clip((values - np.float32(low)) / np.float32(max(high - low, 1e-6)), 0.0, 1.0)
    found: Plane = t * t * (3.0 - 2.0 * t)
    return found
