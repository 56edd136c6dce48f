"""fda: the colours and contrasts of a second picture, the forms of this one."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.matrices import IDENTITY
from kernels.op import Layer, Likened, Op, Region
from kernels.ops.cutmix import fitted
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class Fda(Params):
    """Give the picture the low frequencies' amplitudes of another one of the batch: its light and colours, not its forms.

    Y. Yang and S. Soatto, "FDA: Fourier Domain Adaptation for Semantic Segmentation" (CVPR 2020).
    """

    op: Literal["fda"] = "fda"
    beta: Annotated[Range, Uniform(0, 0.5, unit="fraction of the shorter side")] = (0.01, 0.05)
    """How far from the middle of the spectrum amplitudes are taken over, along each axis; above 0.1 traces of the other
    picture begin to show."""


def layer(place: int, source: Size, canvas: Size) -> Layer:
    whole = Region(0, 0, canvas.width, canvas.height)
    return Layer(IDENTITY if place == 0 else fitted("stretch", source, canvas), whole)


def blend(image: torch.Tensor, other: torch.Tensor, beta: float) -> torch.Tensor:
    reach = int(beta * min(image.shape[2:]))
    own, its = torch.fft.rfft2(image), torch.fft.rfft2(other)
    # frequencies 0 .. reach and -reach .. -1 of the rows; of the columns the transform has only those from 0 on
    for rows in (slice(0, reach + 1), slice(-reach, None) if reach else slice(0, 0)):
        part, source = own[:, :, rows, : reach + 1], its[:, :, rows, : reach + 1]
        amplitude = part.abs()
        turn = torch.where(amplitude > 0.0, part / amplitude.clamp(min=1e-30), torch.ones_like(part))
        own[:, :, rows, : reach + 1] = turn * source.abs()
    made: torch.Tensor = torch.fft.irfft2(own, s=image.shape[2:])
    return made


OP = Op(Fda, Likened(1, layer, blend=blend), examples=(Fda(beta=(0.02, 0.02)), Fda(beta=(0.1, 0.1))))
