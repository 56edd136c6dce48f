"""center_crop: the middle of the picture."""

from __future__ import annotations

from typing import Literal

from kernels.matrices import translation
from kernels.op import Matrix, Op, Places
from kernels.params import SizeField, Warp, size_of
from kernels.tensors import Size


class CenterCrop(Warp):
    """Cut the middle out of the picture; a picture that is too small is padded. Exact."""

    op: Literal["center_crop"] = "center_crop"
    size: SizeField = (224, 224)
    """Size of the result, [height, width] in pixels."""


def matrix(size_in: Size, size: tuple[int, int]) -> Matrix:
    height, width = size
    return translation(-((size_in.width - width) // 2), -((size_in.height - height) // 2))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    CenterCrop,
    Places(matrix, canvas),
    examples=(CenterCrop(size=(200, 300)), CenterCrop(size=(640, 640), border="reflect")),
)
