"""Segments: parts of a picture, as a number for each pixel, and their mean colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kernels import words

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]
_ROUNDS = 5
_COLOR_WEIGHT = 1.0 / 40.0**2
"""A difference of 40 levels counts like the distance of two neighbouring segments."""
_AT_ONCE = 1 << 18


def superpixels(pixels: Bytes, segments: int) -> Labels:
    """(H, W): about so many parts of even colour of (H, W, 3) levels, numbered row by row.

    Five rounds of Achanta et al., "SLIC Superpixels Compared to State-of-the-Art", 2012, in RGB: parts begin as cells of an
    even grid, and a pixel may belong to its own cell's part or to one of the eight around it.
    """
    height, width = pixels.shape[:2]
    apart = max((height * width / segments) ** 0.5, 1.0)
    rows, columns = (max(int(side / apart + 0.5), 1) for side in (height, width))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    row: Labels = y.astype(np.int64) * rows // height
    column: Labels = x.astype(np.int64) * columns // width
    colors = pixels.astype(np.float64)
    owner: Labels = row * columns + column
    for _ in range(_ROUNDS):
        number = np.maximum(np.bincount(owner.ravel(), minlength=rows * columns), 1)
        means = [
            np.bincount(owner.ravel(), values.ravel(), rows * columns) / number
            for values in (y, x, colors[..., 0], colors[..., 1], colors[..., 2])
        ]
        best = np.full((height, width), np.inf)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                near_row, near_column = row + down, column + right
                exists = (near_row >= 0) & (near_row < rows) & (near_column >= 0) & (near_column < columns)
                near = np.where(exists, near_row * columns + near_column, 0)
                place = (y - means[0][near]) ** 2 + (x - means[1][near]) ** 2
                colour = sum((colors[..., channel] - means[2 + channel][near]) ** 2 for channel in range(3))
                distance = np.where(exists, place / (apart * apart) + colour * _COLOR_WEIGHT, np.inf)
                owner = np.where(distance < best, near, owner)
                best = np.minimum(distance, best)
    return owner


def voronoi(height: int, width: int, cells: int, seed: words.NoiseSeed) -> Labels:
    """(H, W): to which of many points, one anywhere in each cell of a grid, a pixel is nearest; the first of several.

    cells: along the shorter side; points are numbered row by row.
    """
    side = min(height, width) / cells
    rows, columns = (max(int(np.ceil(length / side - 1e-9)), 1) for length in (height, width))
    here = torch.arange(rows)[:, None], torch.arange(columns)[None, :]
    places = torch.as_tensor(words.TORCH["cell"](here[1], here[0]))
    right, down = (
        torch.as_tensor(words.TORCH["uniform"](places, seed, channel)).numpy().astype(np.float64) for channel in (0, 1)
    )
    point_x, point_y = (np.arange(columns)[None, :] + right) * side, (np.arange(rows)[:, None] + down) * side
    owner = np.empty((height, width), np.int64)
    x = np.arange(width) + 0.5
    block = max(_AT_ONCE // width, 1)
    for start in range(0, height, block):
        y = np.arange(start, min(start + block, height))[:, None] + 0.5
        row = np.minimum((y / side).astype(np.int64), rows - 1)
        column = np.minimum((x / side).astype(np.int64), columns - 1)
        best = np.full((len(y), width), np.inf)
        chosen = np.zeros((len(y), width), np.int64)
        # a cell's own point is at most 1.42 sides away: no point three cells off is nearer
        for step_down in (-2, -1, 0, 1, 2):
            for step_right in (-2, -1, 0, 1, 2):
                near_row, near_column = row + step_down, column + step_right
                exists = (near_row >= 0) & (near_row < rows) & (near_column >= 0) & (near_column < columns)
                place = np.clip(near_row, 0, rows - 1), np.clip(near_column, 0, columns - 1)
                distance = np.where(exists, (x - point_x[place]) ** 2 + (y - point_y[place]) ** 2, np.inf)
                chosen = np.where(distance < best, place[0] * columns + place[1], chosen)
                best = np.minimum(distance, best)
        owner[start : start + block] = chosen
    return owner


def averaged(pixels: Bytes, owner: Labels, replace: float, seed: words.NoiseSeed) -> torch.Tensor:
    """(1, 3, H, W) 0..1: parts with their mean colour, or, each with the probability 1 - replace, as they are.

    Chance is channel 3 of the seed's numbers, of a part's number.
    """
    number = np.bincount(owner.ravel())
    chance = torch.as_tensor(words.TORCH["uniform"](torch.arange(len(number)), seed, 3)).numpy()
    is_painted = (chance < replace)[owner]
    image = np.empty((1, 3, *owner.shape), np.float32)
    for channel in range(3):
        values = pixels[..., channel]
        means = (np.bincount(owner.ravel(), values.ravel()) / np.maximum(number, 1)).astype(np.float32)
        image[0, channel] = np.where(is_painted, means[owner], values)
    return torch.from_numpy(image) / 255.0
