"""blend_alpha_simplex_noise: another form of the picture shows through in blobs."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.branches import BRANCHES, mixed_by
from kernels.fractals import simplex
from kernels.op import Op, Whole
from kernels.params import Choice, Integer, IntegerRange, Names, Params, Range, Uniform
from kernels.tensors import Size
from kernels.words import NoiseSeed


class BlendAlphaSimplexNoise(Params):
    """Mix the picture with another form of itself by simplex noise, made steeper: soft or sharp blobs.

    imgaug's takes any two branches of augmenters; here the other form is one of a list.
    """

    op: Literal["blend_alpha_simplex_noise"] = "blend_alpha_simplex_noise"
    form: Annotated[Names, Choice(BRANCHES)] = ("blur", "edges", "grey")
    """The other form: blurred by 1/100 of the shorter side, its edge map, its grey, or its inverse."""
    cells: Annotated[IntegerRange, Integer(1, 64, unit="cells along the longer side")] = (3, 10)
    """How many blobs there are, about."""
    gain: Annotated[Range, Uniform(0, 50, unit="times")] = (5.0, 20.0)
    """How steep a blob's edge is: the factor of the noise in a logistic curve; 0 is an even half of both."""


def blend_alpha_simplex_noise(image: torch.Tensor, seed: NoiseSeed, form: str, cells: int, gain: float) -> torch.Tensor:
    return mixed_by(image, form, torch.sigmoid(gain * simplex(Size(*image.shape[-2:]), seed, cells)))


OP = Op(
    BlendAlphaSimplexNoise,
    Whole(blend_alpha_simplex_noise),
    examples=(
        BlendAlphaSimplexNoise(form=("invert",), cells=(5, 5), gain=(20.0, 20.0)),
        BlendAlphaSimplexNoise(form=("edges",), cells=(8, 8), gain=(10.0, 10.0)),
        BlendAlphaSimplexNoise(form=("grey",), cells=(3, 3), gain=(30.0, 30.0)),
    ),
)
