"""multi_crop: the corners and the middle, one after another."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import POSITIONS, corner
from kernels.matrices import linear, product, translation
from kernels.op import Matrix, Op, Places
from kernels.params import Cycle, Names, SizeField, Warp, size_of
from kernels.tensors import Size

_FIVE = (*POSITIONS[1:], POSITIONS[0])
_TEN = (*_FIVE, *(f"{name}_flipped" for name in _FIVE))


class MultiCrop(Warp):
    """Cut a corner or the middle out of the picture, another one for each variant: with 5 variants all of them. Exact.

    torchvision's `FiveCrop`, and with all ten names and 10 variants its `TenCrop`; there they come all at once.
    """

    op: Literal["multi_crop"] = "multi_crop"
    size: SizeField = (224, 224)
    """Size of the result, [height, width] in pixels; a picture that is too small is padded."""
    place: Annotated[Names, Cycle(_TEN)] = _FIVE
    """Which part each variant shows, in turn: variant 0 the first, and so on, and from the first again. `flipped` ones are
    mirrored, left to right."""


def matrix(size_in: Size, size: tuple[int, int], place: str) -> Matrix:
    target = size_of(size)
    left, top = corner(place.removesuffix("_flipped"), target, size_in)
    moved = translation(-left, -top)
    if place.endswith("_flipped"):
        return product(translation(target.width, 0.0), linear(-1.0, 0.0, 0.0, 1.0), moved)
    return moved


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    MultiCrop,
    Places(matrix, canvas),
    examples=(MultiCrop(size=(160, 200), place=("bottom_right_flipped",)), MultiCrop(size=(30, 40))),
)
