"""grayscale: take the colour out."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.colors import luma, mixed
from kernels.op import Op, Pixels
from kernels.params import Params, Range, Uniform
from kernels.words import Value


class Grayscale(Params):
    """Replace every pixel by its grey (0.299 red + 0.587 green + 0.114 blue), or mix it with it."""

    op: Literal["grayscale"] = "grayscale"
    strength: Annotated[Range, Uniform(0, 1, unit="share of grey")] = (1.0, 1.0)
    """Share of grey in the mixture: 1 is a grey picture, 0 leaves it."""


def grayscale(r: Value, g: Value, b: Value, strength: float) -> tuple[Value, Value, Value]:
    grey = luma(r, g, b)
    return mixed(grey, strength, r), mixed(grey, strength, g), mixed(grey, strength, b)


OP = Op(Grayscale, Pixels(grayscale), examples=(Grayscale(), Grayscale(strength=(0.6, 0.6))))
