"""beta_noise: noise of a shape between even and normal, or that prefers its ends."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels import words
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform


class BetaNoise(Params):
    """Add to every value a number of its own from a beta distribution, spread over both sides of 0."""

    op: Literal["beta_noise"] = "beta_noise"
    alpha: Annotated[Range, Uniform(0.5, 10, unit="shape")] = (0.5, 1.5)
    """First shape: below 1 the lowest numbers are frequent, above 1 rare."""
    beta: Annotated[Range, Uniform(0.5, 10, unit="shape")] = (0.5, 1.5)
    """Second shape: the same of the highest numbers."""
    scale: Annotated[Range, Uniform(0, 1, unit="fraction of full brightness")] = (0.05, 0.2)
    """The most that is added or taken away."""


_STEPS = 8192


def beta_noise(image: torch.Tensor, seed: words.NoiseSeed, alpha: float, beta: float, scale: float) -> torch.Tensor:
    angles, below = quantiles(alpha, beta)
    height, width = image.shape[-2:]
    numbers = torch.arange(height * width).view(height, width)
    noise = torch.empty((3, height, width))
    for channel in range(3):
        fractions = torch.as_tensor(words.TORCH["uniform"](numbers, seed, channel)).numpy()
        sines = np.sin(np.interp(fractions, below, angles)).astype(np.float32)
        noise[channel] = torch.from_numpy(scale * (2.0 * sines * sines - 1.0))
    return image + noise.to(image.device)


def quantiles(alpha: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Angles 0 to pi/2, and the share of the distribution's numbers below the square of each one's sine.

    Of an angle the density has no pole where that of its number has one.
    """
    angles = np.linspace(0.0, 0.5 * np.pi, _STEPS + 1)
    middles = 0.5 * (angles[1:] + angles[:-1])
    shares = np.sin(middles) ** (2.0 * alpha - 1.0) * np.cos(middles) ** (2.0 * beta - 1.0)
    below = np.concatenate([[0.0], np.cumsum(shares)])
    return angles, below / below[-1]


OP = Op(
    BetaNoise,
    Whole(beta_noise),
    examples=(
        BetaNoise(alpha=(0.5, 0.5), beta=(0.5, 0.5), scale=(0.2, 0.2)),
        BetaNoise(alpha=(2.0, 2.0), beta=(5.0, 5.0), scale=(0.3, 0.3)),
    ),
)
