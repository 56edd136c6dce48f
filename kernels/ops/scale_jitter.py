"""scale_jitter: many scales on a canvas of one size."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.framing import fitting, place, scaled
from kernels.matrices import multiply, translation, window
from kernels.op import Matrix, Op, Places
from kernels.params import Range, SizeField, Uniform, Warp, size_of
from kernels.tensors import Size


class ScaleJitter(Warp):
    """Scale the picture to a random multiple of what fits a canvas, then cut or pad it to that canvas at a random place.

    Large-scale jitter: G. Ghiasi et al., "Simple Copy-Paste" (CVPR 2021). torchvision's `ScaleJitter` leaves out the cut.
    """

    op: Literal["scale_jitter"] = "scale_jitter"
    size: SizeField = (1024, 1024)
    """Size of the result, [height, width] in pixels."""
    scale: Annotated[Range, Uniform(0.05, 10, unit="times what fits")] = (0.1, 2.0)
    """Size of the scaled picture."""
    x: Annotated[Range, Uniform(0, 1, unit="fraction of the free width")] = (0.0, 1.0)
    """Place of the picture, or of the window in it, from left (0) to right (1)."""
    y: Annotated[Range, Uniform(0, 1, unit="fraction of the free height")] = (0.0, 1.0)
    """Place of the picture, or of the window in it, from top (0) to bottom (1)."""


def matrix(size_in: Size, size: tuple[int, int], scale: float, x: float, y: float) -> Matrix:
    target = size_of(size)
    inner = scaled(size_in, fitting(size_in, target) * scale)
    corner = translation(place(x, target.width - inner.width), place(y, target.height - inner.height))
    return multiply(corner, window(0.0, 0.0, size_in.width, size_in.height, inner))


def canvas(size_in: Size, size: tuple[int, int]) -> Size:
    return size_of(size)


OP = Op(
    ScaleJitter,
    Places(matrix, canvas),
    examples=(
        ScaleJitter(size=(240, 240), scale=(0.6, 0.6), x=(0.8, 0.8), y=(0.4, 0.4)),
        ScaleJitter(size=(90, 70), scale=(1.8, 1.8), border="replicate"),
    ),
)
