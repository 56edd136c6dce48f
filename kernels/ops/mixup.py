"""mixup: a second picture shows through."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import IDENTITY
from kernels.op import Layer, Mix, Op, Region
from kernels.ops.cutmix import Fit, fitted
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class Mixup(Params):
    """Blend the picture with another one of the batch; labels of both are kept.

    The share is drawn evenly, not from a Beta distribution (0 to 1 is Beta(1, 1)); it is in the draws, as `weight`,
    for labels that are shares of classes. H. Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018).
    """

    op: Literal["mixup"] = "mixup"
    weight: Annotated[Range, Uniform(0, 1, unit="share of the other picture")] = (0.0, 0.5)
    """How much of the other picture shows."""
    fit: Fit = "cover"
    """How the other picture is brought to this one's size."""


def layer(place: int, source: Size, canvas: Size, weight: float, fit: Fit) -> Layer:
    whole = Region(0, 0, canvas.width, canvas.height)
    return Layer(IDENTITY, whole) if place == 0 else Layer(fitted(fit, source, canvas), whole, weight)


OP = Op(Mixup, Mix(1, layer), examples=(Mixup(weight=(0.4, 0.4)), Mixup(weight=(0.2, 0.8), fit="stretch")))
