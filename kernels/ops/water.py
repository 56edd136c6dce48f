"""water: the picture seen through a moving surface."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch

from kernels.bends import MOST_BEND, Line, centres
from kernels.op import Field, Op
from kernels.params import Border, Range, Uniform, Warp
from kernels.tensors import Size


class Water(Warp):
    """Shift rows to and fro and columns up and down in sine waves, as DALI's `water` does.

    It is weakened, where need be, so that nothing folds over itself: waves are at most a tenth of their length high.
    """

    op: Literal["water"] = "water"
    border: Border = "reflect"
    """What is shown outside the picture."""
    amplitude: Annotated[Range, Uniform(0, 0.2, unit="fraction of the shorter side")] = (0.01, 0.03)
    """Height of the waves."""
    wavelength: Annotated[Range, Uniform(0.02, 4, unit="fraction of the shorter side")] = (0.15, 0.5)
    """Their length."""
    phase_x: Annotated[Range, Uniform(0, 1, unit="waves")] = (0, 1)
    """Where the waves that shift rows begin, at the top."""
    phase_y: Annotated[Range, Uniform(0, 1, unit="waves")] = (0, 1)
    """Where the waves that shift columns begin, on the left."""


def displacement(
    size_in: Size, seed: tuple[int, int], amplitude: float, wavelength: float, phase_x: float, phase_y: float
) -> torch.Tensor:
    shorter = min(size_in)
    length = wavelength * shorter
    height = min(amplitude * shorter, MOST_BEND * length / math.tau)

    def wave(side: int, phase: float) -> Line:
        found: Line = (height * np.sin(math.tau * (centres(side) / length + phase))).astype(np.float32)
        return found

    rows, columns = torch.from_numpy(wave(size_in.height, phase_x)), torch.from_numpy(wave(size_in.width, phase_y))
    return torch.stack([rows[:, None].expand(size_in), columns[None, :].expand(size_in)])


OP = Op(
    Water,
    Field(displacement),
    examples=(
        Water(amplitude=(0.03, 0.03), wavelength=(0.3, 0.3)),
        Water(amplitude=(0.1, 0.1), wavelength=(1.5, 1.5), border="constant"),
    ),
)
