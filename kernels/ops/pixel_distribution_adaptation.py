"""pixel_distribution_adaptation: the mean colour of a second picture, and how its colours spread."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from kernels.op import Likened, Op
from kernels.ops.fda import layer
from kernels.params import Choice, Names, Params, Range, Uniform

_Matrix = NDArray[np.float64]
_LEAST = 1e-6
"""Variance, of full brightness squared, that a channel is taken to have at least: a flat picture is divided by it."""


class PixelDistributionAdaptation(Params):
    """Move and stretch the picture's colours so that their mean and spread are those of another picture of the batch.

    F. Pitie and A. Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer" (2007):
    of all maps that do it, the one that changes colours least. Albumentations matches principal axes instead.
    """

    op: Literal["pixel_distribution_adaptation"] = "pixel_distribution_adaptation"
    method: Annotated[Names, Choice(("standard", "covariance"))] = ("standard", "covariance")
    """standard: each channel by itself, by its standard deviation; covariance: the three together."""
    strength: Annotated[Range, Uniform(0, 1, unit="share")] = (0.25, 1.0)
    """How much of the change is made."""


def blend(image: torch.Tensor, other: torch.Tensor, method: str, strength: float) -> torch.Tensor:
    (mean, spread), (wanted_mean, wanted_spread) = _measured(image), _measured(other)
    if method == "standard":
        stretch = np.diag(np.sqrt(np.diag(wanted_spread) / np.diag(spread)))
    else:
        root = _power(spread, 0.5)
        back = _power(spread, -0.5)
        stretch = back @ _power(root @ wanted_spread @ root, 0.5) @ back
    turned = strength * stretch + (1.0 - strength) * np.eye(3)
    moved = strength * (wanted_mean - stretch @ mean)
    by, plus = (torch.from_numpy(part.astype(np.float32)).to(image.device) for part in (turned, moved))
    red, green, blue = image[0]
    return torch.stack([row[0] * red + row[1] * green + row[2] * blue + at for row, at in zip(by, plus, strict=True)])[None]


def _measured(image: torch.Tensor) -> tuple[NDArray[np.float64], _Matrix]:
    """Mean (3,) and covariance (3, 3) of the colours."""
    pixels = image[0].reshape(3, -1).cpu().double()
    mean = pixels.mean(dim=1, keepdim=True)
    apart = pixels - mean
    spread = (apart @ apart.T / pixels.shape[1]).numpy() + _LEAST * np.eye(3)
    return mean[:, 0].numpy(), spread


def _power(matrix: _Matrix, exponent: float) -> _Matrix:
    """A power of a symmetric matrix without negative directions."""
    values, axes = np.linalg.eigh(matrix)
    found: _Matrix = (axes * np.maximum(values, 1e-18) ** exponent) @ axes.T
    return found


OP = Op(
    PixelDistributionAdaptation,
    Likened(1, layer, blend=blend),
    examples=(
        PixelDistributionAdaptation(method=("covariance",), strength=(1, 1)),
        PixelDistributionAdaptation(method=("standard",), strength=(0.8, 0.8)),
    ),
)
