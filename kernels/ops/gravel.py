"""gravel: loose stones on the ground."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.scatter import numbers


class Gravel(Params):
    """Strew small grey stones over the lower part of the picture, lit from above, each one over those before it."""

    op: Literal["gravel"] = "gravel"
    stones: Annotated[IntegerRange, Integer(0, 2000, unit="stones")] = (100, 400)
    """How many there are, whatever the picture's size."""
    size: Annotated[Range, Uniform(0.002, 0.1, unit="fraction of the shorter side")] = (0.01, 0.03)
    """Diameter of the largest; the others have a third of it at least."""
    ground: Annotated[Range, Uniform(0, 1, unit="fraction of the height")] = (0.3, 0.5)
    """How much of the picture, from the bottom, is ground that they lie on."""


def gravel(image: torch.Tensor, seed: tuple[int, int], stones: int, size: float, ground: float) -> torch.Tensor:
    height, width = image.shape[2:]
    across, down, large, shades = (numbers(stones, seed, channel) for channel in range(4))
    x, y = across * width, height * (1.0 - ground * down)
    radius = 0.5 * size * min(height, width) * (1.0 + 2.0 * large) / 3.0
    planes = image[0].cpu().numpy().copy()
    for stone in zip(x.tolist(), y.tolist(), radius.tolist(), (0.25 + 0.5 * shades).tolist(), strict=True):
        _lay(planes, *stone)
    return torch.from_numpy(planes).to(image.device)[None]


def _lay(planes: NDArray[np.float32], x: float, y: float, radius: float, shade: float) -> None:
    """Draws one stone: a disc with a soft edge of a pixel, lighter at its upper end than at its lower one."""
    height, width = planes.shape[1:]
    left, right = max(math.floor(x - radius - 0.5), 0), min(math.ceil(x + radius + 0.5), width)
    top, bottom = max(math.floor(y - radius - 0.5), 0), min(math.ceil(y + radius + 0.5), height)
    if left >= right or top >= bottom:
        return
    beside, below = np.arange(left, right) + 0.5 - x, np.arange(top, bottom) + 0.5 - y
    inside = np.clip(radius - np.sqrt(beside * beside + (below * below)[:, None]) + 0.5, 0.0, 1.0)
    lit = shade * (1.0 - 0.3 * below[:, None] / max(radius, 0.5))
    target = planes[:, top:bottom, left:right]
    target += ((lit - target) * inside).astype(np.float32)


OP = Op(
    Gravel,
    Whole(gravel),
    examples=(
        Gravel(stones=(500, 500), size=(0.06, 0.06), ground=(0.5, 0.5)),
        Gravel(stones=(2000, 2000), size=(0.03, 0.03), ground=(1, 1)),
    ),
)
