"""plasma_shadow: shadows of clouds."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.fractals import plasma
from kernels.op import Op, Whole
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size
from kernels.words import NoiseSeed

_SOFT = 0.05
"""Width of a shadow's edge, as a share of the clouds' height."""


class PlasmaShadow(Params):
    """Take light away where a random field of clouds is low."""

    op: Literal["plasma_shadow"] = "plasma_shadow"
    roughness: Annotated[Range, Uniform(0, 1, unit="times the weight of the octave before")] = (0.1, 0.7)
    """How ragged the shadows are."""
    intensity: Annotated[Range, Uniform(0, 1, unit="share of the light")] = (0.2, 0.7)
    """What is lost in a shadow."""
    quantity: Annotated[Range, Uniform(0, 1, unit="share of the clouds' height")] = (0.3, 0.6)
    """Up to where clouds make shadows: 0 makes none, 1 shades the whole picture."""


def plasma_shadow(
    image: torch.Tensor, seed: NoiseSeed, roughness: float, intensity: float, quantity: float
) -> torch.Tensor:
    clouds = plasma(Size(*image.shape[-2:]), seed, roughness).to(image.device)
    shade = ((quantity * (1.0 + _SOFT) - clouds) / _SOFT).clamp_(0.0, 1.0)
    return image * (1.0 - intensity * shade)


OP = Op(
    PlasmaShadow,
    Whole(plasma_shadow),
    examples=(
        PlasmaShadow(roughness=(0.5, 0.5), intensity=(0.7, 0.7), quantity=(0.5, 0.5)),
        PlasmaShadow(roughness=(0.2, 0.2), intensity=(0.4, 0.4), quantity=(0.4, 0.4)),
    ),
)
