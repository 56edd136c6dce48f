"""webp: what a WebP file leaves of the picture."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.arrays import image_of, levels_of
from kernels.codec.decode import decode
from kernels.codec.encode import written
from kernels.op import Op, Whole
from kernels.params import Integer, IntegerRange, Params


class Webp(Params):
    """Write the picture as a lossy WebP file and read it again: smooth blocks, fine grain lost. Sides: 16,383 at most."""

    op: Literal["webp"] = "webp"
    quality: Annotated[IntegerRange, Integer(1, 100, unit="of libwebp's scale")] = (30, 90)
    """Quality of the file: the lower, the more is lost."""


def webp(image: torch.Tensor, quality: int) -> torch.Tensor:
    return image_of(decode(written(levels_of(image), "webp", quality)), image)


OP = Op(Webp, Whole(webp), examples=(Webp(quality=(1, 1)), Webp(quality=(10, 10))))
