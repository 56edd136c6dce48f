"""kmeans_color_quantize: few colours, chosen from the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.palettes import nearest, palette
from kernels.params import Integer, IntegerRange, Params
from kernels.tables import levels


class KmeansColorQuantize(Params):
    """Replace every colour by the nearest of a few that fit the picture best.

    The colours are found by ten rounds of Lloyd's algorithm ("Least squares quantization in PCM", 1982) on some 4,000
    pixels of an even grid, from starts that are as far apart as the picture's colours: no chance is in it. Distances are
    in RGB.
    """

    op: Literal["kmeans_color_quantize"] = "kmeans_color_quantize"
    colors: Annotated[IntegerRange, Integer(2, 32, unit="colours")] = (4, 12)
    """How many there are; fewer, where the picture has fewer."""


def kmeans_color_quantize(image: torch.Tensor, colors: int) -> torch.Tensor:
    pixels = levels(image[0]).permute(1, 2, 0).cpu().numpy()
    chosen = palette(pixels, colors)
    painted = torch.from_numpy(chosen)[torch.from_numpy(nearest(pixels.reshape(-1, 3), chosen))]
    return (painted.view(*pixels.shape).permute(2, 0, 1)[None] / 255.0).to(image.device)


OP = Op(
    KmeansColorQuantize,
    Stencil(kmeans_color_quantize),
    examples=(KmeansColorQuantize(colors=(6, 6)), KmeansColorQuantize(colors=(16, 16))),
)
