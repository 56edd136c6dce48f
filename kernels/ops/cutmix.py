"""cutmix: a second picture shows in a box."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from kernels.matrices import IDENTITY, covering, window
from kernels.op import Layer, Matrix, Mix, Op, Region
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size

Fit = Literal["cover", "stretch"]
"""cover: scaled alike both ways until it covers, what is too much cut off evenly; stretch: each side on its own."""


class Cutmix(Params):
    """Replace a box of the picture by the same box of another one of the batch, brought to this one's size.

    The box has the picture's shape and whole pixels, and lies inside it. What it covers of labels is lost, and labels of
    the other picture are kept as far as they lie in it. S. Yun et al., "CutMix" (ICCV 2019).
    """

    op: Literal["cutmix"] = "cutmix"
    area: Annotated[Range, Uniform(0, 1, unit="share of the picture's area")] = (0.1, 0.5)
    """Area of the box."""
    across: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Its place from left (0) to right (1)."""
    down: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Its place from top (0) to bottom (1)."""
    fit: Fit = "cover"
    """How the other picture is brought to this one's size."""


def fitted(fit: Fit, source: Size, canvas: Size) -> Matrix:
    """A whole picture brought to a canvas."""
    return covering(source, canvas) if fit == "cover" else window(0.0, 0.0, source.width, source.height, canvas)


def layer(place: int, source: Size, canvas: Size, area: float, across: float, down: float, fit: Fit) -> Layer:
    if place == 0:
        return Layer(IDENTITY, Region(0, 0, canvas.width, canvas.height))
    width, height = (min(round(side * math.sqrt(area)), side) for side in (canvas.width, canvas.height))
    left = min(int(across * (canvas.width - width + 1)), canvas.width - width)
    top = min(int(down * (canvas.height - height + 1)), canvas.height - height)
    return Layer(fitted(fit, source, canvas), Region(left, top, left + width, top + height))


OP = Op(
    Cutmix,
    Mix(1, layer),
    examples=(Cutmix(area=(0.3, 0.3), across=(0.8, 0.8), down=(0.3, 0.3)), Cutmix(area=(0.2, 0.7), fit="stretch")),
)
