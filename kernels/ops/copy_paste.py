"""copy_paste: objects of a second picture appear in this one."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import IDENTITY
from kernels.op import Cutout, Layer, Mix, Op, Region
from kernels.ops.cutmix import Fit, fitted
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class CopyPaste(Params):
    """Paste labelled objects of another picture of the batch: its polygons, or its boxes where it has no polygons.

    They come with their labels, and what they cover of this picture's labels is lost. A picture without objects gives
    none. G. Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method" (CVPR 2021).
    """

    op: Literal["copy_paste"] = "copy_paste"
    share: Annotated[Range, Uniform(0, 1, unit="share of the other picture's objects")] = (0.5, 1.0)
    """How many of the objects are pasted: at least one, unless 0."""
    softness: Annotated[Range, Uniform(0, 32, unit="pixels")] = (0.0, 0.0)
    """Sigma of a Gaussian that softens their edges; 0 leaves them as they are."""
    fit: Fit = "cover"
    """How the other picture is brought to this one's size."""


def layer(place: int, source: Size, canvas: Size, share: float, softness: float, fit: Fit) -> Layer:
    whole = Region(0, 0, canvas.width, canvas.height)
    if place == 0:
        return Layer(IDENTITY, whole)
    return Layer(fitted(fit, source, canvas), whole, cutout=Cutout(share, softness))


OP = Op(
    CopyPaste,
    Mix(1, layer),
    examples=(CopyPaste(share=(1, 1), softness=(1, 1)), CopyPaste(share=(0.3, 1), fit="stretch")),
)
