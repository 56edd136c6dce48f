"""zoom: enlarge, and look at a part."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from kernels.matrices import product, scaling, translation
from kernels.op import Matrix, Op, Places
from kernels.params import Params, Range, Uniform
from kernels.tensors import Size


class Zoom(Params):
    """Enlarge the picture, then show a window of the original size; a factor of 1 changes nothing."""

    op: Literal["zoom"] = "zoom"
    factor: Annotated[Range, Uniform(1, 20, unit="times larger")] = (1.0, 1.5)
    """Enlargement."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Place of the window from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Place of the window from top (0) to bottom (1)."""


def matrix(size_in: Size, factor: float, x: float, y: float) -> Matrix:
    left, top = _place(x, (factor - 1.0) * size_in.width), _place(y, (factor - 1.0) * size_in.height)
    return product(translation(-left, -top), scaling(factor, factor))


def _place(fraction: float, free: float) -> int:
    """A whole pixel of the enlarged picture, each as likely as the others for an even fraction."""
    return min(math.floor(fraction * (math.floor(free) + 1)), math.floor(free))


OP = Op(Zoom, Places(matrix), examples=(Zoom(factor=(2, 2), x=(0.5, 0.5), y=(0.3, 0.3)), Zoom(factor=(1.3, 1.3))))
