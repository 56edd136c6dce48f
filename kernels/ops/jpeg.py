"""jpeg: what a JPEG file leaves of the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.arrays import image_of, levels_of
from kernels.codec.decode import decode
from kernels.codec.encode import written
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params


class Jpeg(Params):
    """Write the picture as a JPEG file (4:2:0) and read it again: blocks, blurred colours, ringing edges."""

    op: Literal["jpeg"] = "jpeg"
    quality: Annotated[IntegerRange, Integer(1, 100, unit="of libjpeg's scale")] = (30, 90)
    """Quality of the file: the lower, the more is lost."""


def jpeg(image: torch.Tensor, quality: int) -> torch.Tensor:
    return image_of(decode(written(levels_of(image), "jpeg", quality)), image)


OP = Op(Jpeg, Whole(jpeg), examples=(Jpeg(quality=(8, 8)), Jpeg(quality=(20, 20))))
