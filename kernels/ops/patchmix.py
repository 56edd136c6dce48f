"""patchmix: patches of a second picture, here and there."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels import words
from kernels.matrices import IDENTITY
from kernels.op import Layer, Mix, Op, Region
from kernels.ops.cutmix import Fit, fitted
from kernels.params import Integer, IntegerRange, Params, Range, Uniform
from kernels.tensors import Size


class Patchmix(Params):
    """Divide the picture into square patches and replace some by the same ones of another picture of the batch.

    Labels of both are kept as far as they can be seen. As the patches of a vision transformer; Kornia's `PatchMix`.
    """

    op: Literal["patchmix"] = "patchmix"
    share: Annotated[Range, Uniform(0, 1, unit="share of the patches")] = (0.1, 0.5)
    """Probability of each patch to be the other picture's."""
    patch: Annotated[IntegerRange, Integer(2, 1024, unit="pixels")] = (16, 32)
    """Side of a patch."""
    fit: Fit = "cover"
    """How the other picture is brought to this one's size."""


def layer(place: int, source: Size, canvas: Size, seed: tuple[int, int], share: float, patch: int, fit: Fit) -> Layer:
    whole = Region(0, 0, canvas.width, canvas.height)
    if place == 0:
        return Layer(IDENTITY, whole)
    rows, columns = (torch.arange(-(-side // patch)) for side in canvas)
    taken = torch.as_tensor(words.TORCH["uniform"](rows[:, None] * 2**15 + columns, seed, 0)).numpy() < share
    shown = taken.astype(np.float32).repeat(patch, axis=0).repeat(patch, axis=1)
    return Layer(fitted(fit, source, canvas), whole, cutout=shown[: canvas.height, : canvas.width])


OP = Op(
    Patchmix,
    Mix(1, layer),
    examples=(Patchmix(share=(0.4, 0.4), patch=(40, 40)), Patchmix(share=(0.5, 0.5), patch=(8, 8), fit="stretch")),
)
