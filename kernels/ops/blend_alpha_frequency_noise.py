"""blend_alpha_frequency_noise: another form of the picture shows through in clouds or grains."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.branches import BRANCHES, mixed_by
from kernels.fractals import frequencies
from kernels.op import Op, Whole
from kernels.params import Choice, Names, Params, Range, Uniform
from kernels.tensors import Size
from kernels.words import NoiseSeed


class BlendAlphaFrequencyNoise(Params):
    """Mix the picture with another form of itself by a sum of waves of all directions, made steeper.

    imgaug's takes any two branches of augmenters; here the other form is one of a list.
    """

    op: Literal["blend_alpha_frequency_noise"] = "blend_alpha_frequency_noise"
    form: Annotated[Names, Choice(BRANCHES)] = ("blur", "edges", "grey")
    """The other form: blurred by 1/100 of the shorter side, its edge map, its grey, or its inverse."""
    exponent: Annotated[Range, Uniform(-4, 4, unit="power of the frequency")] = (-4.0, 1.0)
    """What waves weigh: far below 0 a few large clouds, above 0 a fine grain."""
    gain: Annotated[Range, Uniform(0, 50, unit="times")] = (5.0, 20.0)
    """How steep the edges of clouds are: the factor of the noise in a logistic curve; 0 is an even half of both."""


def blend_alpha_frequency_noise(
    image: torch.Tensor, seed: NoiseSeed, form: str, exponent: float, gain: float
) -> torch.Tensor:
    noise = frequencies(Size(*image.shape[-2:]), seed, exponent)
    return mixed_by(image, form, torch.sigmoid(gain * (noise - 0.5)))


OP = Op(
    BlendAlphaFrequencyNoise,
    Whole(blend_alpha_frequency_noise),
    examples=(
        BlendAlphaFrequencyNoise(form=("invert",), exponent=(-2.0, -2.0), gain=(30.0, 30.0)),
        BlendAlphaFrequencyNoise(form=("grey",), exponent=(0.0, 0.0), gain=(15.0, 15.0)),
        BlendAlphaFrequencyNoise(form=("edges",), exponent=(-1.0, -1.0), gain=(15.0, 15.0)),
    ),
)
