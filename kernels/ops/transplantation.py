"""transplantation: what belongs to some classes of a second picture's mask appears in this one."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import IDENTITY
from kernels.op import Classes, Layer, Mix, Op, Region
from kernels.ops.cutmix import Fit, fitted
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class Transplantation(Params):
    """Copy the pixels of some classes from another picture of the batch that has a class mask, their classes with them.

    Class 0 stays behind, and so do the other picture's boxes, outlines and keypoints. Of this picture's labels those that
    are covered are lost. Kornia's `RandomTransplantation`.
    """

    op: Literal["transplantation"] = "transplantation"
    share: Annotated[Range, Uniform(0, 1, unit="share of the other picture's classes")] = (0.5, 1.0)
    """How many of the classes are copied: at least one, unless 0."""
    fit: Fit = "cover"
    """How the other picture is brought to this one's size."""


def layer(place: int, source: Size, canvas: Size, share: float, fit: Fit) -> Layer:
    whole = Region(0, 0, canvas.width, canvas.height)
    if place == 0:
        return Layer(IDENTITY, whole)
    return Layer(fitted(fit, source, canvas), whole, cutout=Classes(share))


OP = Op(
    Transplantation,
    Mix(1, layer),
    examples=(Transplantation(share=(1, 1)), Transplantation(share=(0.3, 1), fit="stretch")),
)
