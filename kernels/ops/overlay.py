"""overlay: a second picture, small, on top of this one."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import fitting, scaled
from kernels.framing import place as placed
from kernels.matrices import IDENTITY, multiply, translation, window
from kernels.op import Layer, Mix, Op, Region
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class Overlay(Params):
    """Lay another picture of the batch, whole and scaled down, over a part of this one, as stickers and logos lie.

    Its labels come with it, and labels that it covers are lost.
    """

    op: Literal["overlay"] = "overlay"
    size: Annotated[Range, Uniform(0.01, 1, unit="fraction of the sides")] = (0.2, 0.5)
    """The box that it fills, its shape kept."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0, 1)
    """Its place from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0, 1)
    """Its place from top (0) to bottom (1)."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share")] = (1, 1)
    """How much of this picture it hides; below 1 no label is lost."""


def layer(place: int, source: Size, canvas: Size, size: float, x: float, y: float, opacity: float) -> Layer:
    if place == 0:
        return Layer(IDENTITY, Region(0, 0, canvas.width, canvas.height))
    inner = scaled(source, fitting(source, canvas) * size)
    left, top = placed(x, canvas.width - inner.width), placed(y, canvas.height - inner.height)
    fitted = multiply(translation(left, top), window(0.0, 0.0, source.width, source.height, inner))
    return Layer(fitted, Region(left, top, left + inner.width, top + inner.height), opacity)


OP = Op(
    Overlay,
    Mix(1, layer),
    examples=(Overlay(size=(0.5, 0.5), x=(0.9, 0.9), y=(0.1, 0.1)), Overlay(size=(0.8, 0.8), opacity=(0.6, 0.6))),
)
