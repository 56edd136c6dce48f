"""glass_blur: seen through rough glass."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels import words
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.stencils import gaussian, weighed


class GlassBlur(Params):
    """Blur, let every pixel show another one nearby, some times over, and blur again.

    As in Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions", 2019, but that pixels
    are copied, all at once, where theirs are swapped one after the other.
    """

    op: Literal["glass_blur"] = "glass_blur"
    sigma: Annotated[Range, Uniform(0, 8, unit="pixels")] = (0.4, 1.0)
    """Standard deviation of both blurs."""
    delta: Annotated[IntegerRange, Integer(1, 32, unit="pixels")] = (1, 4)
    """How far along each side the other pixel may be."""
    rounds: Annotated[IntegerRange, Integer(1, 4, unit="times")] = (1, 2)
    """How many times pixels show another."""


def glass_blur(image: torch.Tensor, seed: words.NoiseSeed, sigma: float, delta: int, rounds: int) -> torch.Tensor:
    weights = gaussian(sigma)
    shown = weighed(image, weights)
    height, width = image.shape[-2:]
    rows = torch.arange(height, device=image.device)[:, None]
    columns = torch.arange(width, device=image.device)
    numbers = rows * width + columns
    for turn in range(rounds):
        # a round's two fractions make one of (2 delta + 1)^2 places
        down, across = (_offset(numbers, (seed[0], seed[1] ^ turn), channel, delta) for channel in (0, 1))
        # not beyond the edge, where the outermost pixels are
        places = (rows + down).clamp_(0, height - 1) * width + (columns + across).clamp_(0, width - 1)
        shown = shown.flatten(2)[:, :, places.flatten()].view(image.shape)
    return weighed(shown, weights)


def _offset(numbers: torch.Tensor, seed: words.NoiseSeed, channel: int, delta: int) -> torch.Tensor:
    """Of each pixel a whole number from -delta to delta, each as likely."""
    fraction = torch.as_tensor(words.TORCH["uniform"](numbers, seed, channel))
    return (fraction * (2 * delta + 1)).floor().to(torch.int64) - delta


OP = Op(
    GlassBlur,
    Whole(glass_blur),
    examples=(
        GlassBlur(sigma=(0.7, 0.7), delta=(4, 4), rounds=(2, 2)),
        GlassBlur(sigma=(1.0, 1.0), delta=(2, 2), rounds=(1, 1)),
    ),
)
