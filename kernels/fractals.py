"""Fractals: smooth random fields over a picture, the same for every picture of a size, seed and few numbers.

Numbers lie on grids that are coarse beside the pixels, and are made on the CPU for every device. Fields are (H, W) float32.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import words
from kernels.tensors import Size

_OCTAVES = 8
_LATTICE_SKEW, _LATTICE_UNSKEW = 0.36602540378443865, 0.21132486540518713
"""(sqrt 3 - 1) / 2 and (3 - sqrt 3) / 6."""
_FREQUENCIES = 32
"""Side of the grid of a frequency field."""
_PIXELS_AT_ONCE = 2**16
"""How many pixels of simplex noise are made at once: some 150 bytes each, which stay in the processor's cache."""

Grid = NDArray[np.float64]


def plasma(size: Size, seed: words.NoiseSeed, roughness: float) -> torch.Tensor:
    """0 to 1 at its ends: clouds, each octave with cells half as wide as, and `roughness` times the weight of, the last.

    After Fournier, Fussell and Carpenter, "Computer rendering of stochastic models", 1982; octaves of interpolated noise
    where theirs are midpoints, so that no square shows. Details end at 1/256 of the longer side. 1/2 where all is even.
    """
    total = torch.zeros(size)
    for octave in range(_OCTAVES):
        cells = 2 ** (octave + 1)
        rows, columns = (-(-side * cells // max(size)) + 1 for side in size)
        here = _fractions(rows, columns, (seed[0], seed[1] ^ octave), 0)
        total += roughness**octave * enlarged(torch.from_numpy(here.astype(np.float32)), size, max(size) / cells)
    return spread(total)


def enlarged(grid: torch.Tensor, size: Size, cell: float) -> torch.Tensor:
    """A field whose values are the grid's at the corners of cells `cell` pixels wide, with level tangents there."""
    for dim, side in enumerate(size):
        place = (torch.arange(side, dtype=torch.float64) + 0.5) / cell
        first = place.floor().clamp_(max=max(grid.shape[dim] - 2, 0))
        t = (place - first).clamp_(max=1.0)
        share = (t * t * (3.0 - 2.0 * t)).to(torch.float32).view((side, 1) if dim == 0 else (1, side))
        before = first.to(torch.int64)
        after = (before + 1).clamp_(max=grid.shape[dim] - 1)
        grid = torch.lerp(grid.index_select(dim, before), grid.index_select(dim, after), share)
    return grid


def spread(field: torch.Tensor) -> torch.Tensor:
    """The field from 0 at its lowest place to 1 at its highest; 1/2 where all is even."""
    low, high = field.min(), field.max()
    return (field - low) / (high - low) if high > low else torch.full_like(field, 0.5)


def simplex(size: Size, seed: words.NoiseSeed, cells: int) -> torch.Tensor:
    """-1 to 1, 0 on average: noise on a lattice of triangles, about `cells` of them along the longer side.

    Perlin's simplex noise as Gustavson explains it ("Simplex noise demystified", 2005), with gradients of any direction.
    """
    scale = cells / max(size)
    corners = int(2 * cells) + 4
    turns = torch.from_numpy(_fractions(corners, corners, seed, 0) * 2.0 * np.pi)
    across, down = torch.cos(turns), torch.sin(turns)
    x = ((torch.arange(size.width, dtype=torch.float64) + 0.5) * scale)[None, :]
    y = ((torch.arange(size.height, dtype=torch.float64) + 0.5) * scale)[:, None]
    field = torch.empty(size)
    # float64 numbers of a whole picture would be gigabytes, and a row of a narrow one is all overhead
    rows = max(1, _PIXELS_AT_ONCE // size.width)
    for some, made in zip(torch.split(y, rows), torch.split(field, rows), strict=True):
        skew = (x + some) * _LATTICE_SKEW
        i, j = (x + skew).floor_(), (some + skew).floor_()
        unskew = (i + j) * _LATTICE_UNSKEW
        x0, y0 = x - i + unskew, some - j + unskew
        right = (x0 > y0).to(torch.float64)
        total = torch.zeros_like(x0)
        for step_x, step_y, number in ((0.0, 0.0, 0.0), (right, 1.0 - right, 1.0), (1.0, 1.0, 2.0)):
            dx, dy = x0 - step_x + number * _LATTICE_UNSKEW, y0 - step_y + number * _LATTICE_UNSKEW
            near = (0.5 - dx * dx - dy * dy).clamp_(min=0.0) ** 4
            column, line = (i + step_x).to(torch.int64), (j + step_y).to(torch.int64)
            total += near * (across[line, column] * dx + down[line, column] * dy)
        made.copy_(99.0 * total)
    return field.clamp_(-1.0, 1.0)


def frequencies(size: Size, seed: words.NoiseSeed, exponent: float) -> torch.Tensor:
    """0 to 1 at its ends: waves of every direction, those of frequency f with the weight f^exponent and any phase.

    An exponent below 0 gives clouds, one above 0 fine grain; the finest wave has 16 crests along the longer side.
    """
    phases = _fractions(_FREQUENCIES, _FREQUENCIES, seed, 0) * 2.0 * np.pi
    steps = np.fft.fftfreq(_FREQUENCIES, 1.0 / _FREQUENCIES)
    distance = np.hypot(steps[:, None], steps[None, :])
    distance[0, 0] = 1.0
    weights = distance**exponent
    weights[0, 0] = 0.0
    waves = np.fft.ifft2(weights * np.exp(1j * phases)).real
    grid = torch.from_numpy((waves / np.abs(waves).max()).astype(np.float32))
    rows = -(-size.height * (_FREQUENCIES - 1) // max(size)) + 1
    columns = -(-size.width * (_FREQUENCIES - 1) // max(size)) + 1
    return spread(enlarged(grid[:rows, :columns], size, max(size) / (_FREQUENCIES - 1)))


def _fractions(rows: int, columns: int, seed: words.NoiseSeed, channel: int) -> Grid:
    """Even numbers of (0, 1), one for each place of a grid, whatever the grid's size."""
    cells = torch.as_tensor(words.TORCH["cell"](torch.arange(columns)[None, :], torch.arange(rows)[:, None]))
    return torch.as_tensor(words.TORCH["uniform"](cells, seed, channel)).numpy().astype(np.float64)
