"""Point spreads: what a blur makes of a single bright point, as kernels of odd sides that add up to 1."""

from __future__ import annotations

import math

import numpy as np
import torch
from kornia.filters import get_motion_kernel2d
from numpy.typing import NDArray

from kernels.stencils import Weights

Grid = NDArray[np.float64]


def motion(size: int, degrees: float, direction: float) -> Weights:
    """A line of `size` pixels through the middle, turned counter-clockwise, by Kornia.

    direction: -1 .. 1; at 0 all of the line weighs alike, at 1 one end weighs nothing, at -1 the other one.
    """
    kernel: Weights = get_motion_kernel2d(size, float(degrees), float(direction), mode="bilinear")[0].numpy()
    return kernel


def disk(radius: float, softness: float) -> Weights:
    """An even disk, its edge `softness` pixels wide; radius in pixels."""
    reach = math.ceil(radius + 0.5 * softness)
    x, y = _places(reach)
    return _adding_up(np.clip((radius - np.hypot(x, y)) / softness + 0.5, 0.0, 1.0))


def generalized_normal(size: int, sigma_x: float, sigma_y: float, degrees: float, beta: float, factors: Grid) -> Weights:
    """exp(-q^beta / 2) of the squared distance q in sigmas, turned counter-clockwise, times (size, size) `factors`.

    beta 1 is a Gaussian; a larger one has a flatter middle and steeper sides.
    """
    x, y = _places(size // 2)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = x * cosine - y * sine, x * sine + y * cosine
    distance = (along / sigma_x) ** 2 + (across / sigma_y) ** 2
    return _adding_up(np.exp(-0.5 * np.minimum(distance**beta, 1e3)) * factors)


def sinc(size: int, cutoff: float) -> Weights:
    """The two-dimensional low pass: frequencies up to `cutoff` (radians a pixel) and no others, cut off at the kernel's
    edge.

    Wang et al., "Real-ESRGAN", 2021: cutoff J1(cutoff r) / (2 pi r).
    """
    x, y = _places(size // 2)
    radius = np.hypot(x, y)
    middle = radius == 0.0
    far = np.where(middle, 1.0, radius)
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * far)).numpy()
    return _adding_up(np.where(middle, cutoff**2 / (4.0 * np.pi), cutoff * bessel / (2.0 * np.pi * far)))


def _places(reach: int) -> tuple[Grid, Grid]:
    """x and y of each of a kernel's places, its middle at 0."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    return x, y


def _adding_up(weights: Grid) -> Weights:
    return np.asarray(weights / weights.sum(), dtype=np.float32)
