"""frost: ice on a window pane, from its edges inwards."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.arrays import veiled
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size
from kernels.turbulence import smoothstep, turbulence


class Frost(Params):
    """Let ice grow over the picture from its edges, in veins; made by arithmetic, where other libraries lay photographs."""

    op: Literal["frost"] = "frost"
    amount: Annotated[Range, Uniform(0, 1, unit="share")] = (0.3, 0.7)
    """How far it reaches: at 1 the middle freezes too."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (0.6, 0.9)
    """How much of the picture thick ice hides."""
    scale: Annotated[Range, Uniform(0.02, 1, unit="fraction of the shorter side")] = (0.08, 0.2)
    """Distance of its veins."""


def frost(image: torch.Tensor, seed: tuple[int, int], amount: float, opacity: float, scale: float) -> torch.Tensor:
    size = Size(image.shape[2], image.shape[3])
    cell = scale * min(size)
    noise = turbulence(size, seed, cell, cell, octaves=4, fading=0.6)
    # veins run where the noise crosses its middle
    veins = np.maximum(1.0 - 5.0 * np.abs(noise - 0.5), 0.0)
    down, across = (np.abs((np.arange(side) + 0.5) * (2.0 / side) - 1.0).astype(np.float32) for side in size)
    edge = np.maximum(across[None, :], down[:, None])
    ice = smoothstep(edge + 0.5 * veins, 1.3 - 1.2 * amount, 1.7 - 1.2 * amount)
    ice *= 0.6 + 0.4 * veins
    return veiled(image, (opacity * ice).astype(np.float32), (0.87, 0.93, 1.0))


OP = Op(
    Frost,
    Whole(frost),
    examples=(
        Frost(amount=(0.4, 0.4), opacity=(0.9, 0.9), scale=(0.12, 0.12)),
        Frost(amount=(1, 1), opacity=(0.6, 0.6), scale=(0.3, 0.3)),
    ),
)
