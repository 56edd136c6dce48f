"""random_resize: one of many sizes, the shape kept."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import scaled
from kernels.matrices import window
from kernels.op import Matrix, Op, Places
from kernels.params import Integer, IntegerRange, Params, Side
from kernels.tensors import MAX_SIDE, Size


class RandomResize(Params):
    """Scale the whole picture so that its shorter side has a length drawn for it, but its longer one not too large a one.

    Multi-scale training as for detectors: torchvision's `RandomResize`, and `RandomShortestSize` by its limit.
    """

    op: Literal["random_resize"] = "random_resize"
    shorter: Annotated[IntegerRange, Integer(1, MAX_SIDE, unit="pixels")] = (480, 800)
    """Length of the shorter side."""
    longest: Side = 1333
    """What the longer side may have at most, in pixels; the shorter one gets less where need be."""


def matrix(size_in: Size, shorter: int, longest: int) -> Matrix:
    return window(0.0, 0.0, size_in.width, size_in.height, canvas(size_in, shorter, longest))


def canvas(size_in: Size, shorter: int, longest: int) -> Size:
    return scaled(size_in, min(shorter / min(size_in), longest / max(size_in)))


OP = Op(
    RandomResize,
    Places(matrix, canvas),
    examples=(RandomResize(shorter=(150, 150), longest=300), RandomResize(shorter=(20, 60), longest=100)),
)
