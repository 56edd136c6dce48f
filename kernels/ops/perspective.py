"""perspective: see the picture from the side."""

from __future__ import annotations

from typing import Annotated, Literal

from kernels.matrices import Quad, quad_to_quad
from kernels.op import Matrix, Op, Places
from kernels.params import Range, Uniform, Warp
from kernels.tensors import Size

_Inset = Annotated[Range, Uniform(0, 1, unit="fraction of the largest inset")]


class Perspective(Warp):
    """Pull each corner of the picture inwards by its own amount, as if it were seen from the side."""

    # at most 0.6 of half a side: up to 2/3 any four corners still span a convex shape, which alone is a perspective
    op: Literal["perspective"] = "perspective"
    distortion: Annotated[Range, Uniform(0, 0.6, unit="fraction of half a side")] = (0.1, 0.4)
    """Largest inset of a corner."""
    top_left_x: _Inset = (0, 1)
    """Inset of the top left corner to the right."""
    top_left_y: _Inset = (0, 1)
    """Inset of the top left corner down."""
    top_right_x: _Inset = (0, 1)
    """Inset of the top right corner to the left."""
    top_right_y: _Inset = (0, 1)
    """Inset of the top right corner down."""
    bottom_right_x: _Inset = (0, 1)
    """Inset of the bottom right corner to the left."""
    bottom_right_y: _Inset = (0, 1)
    """Inset of the bottom right corner up."""
    bottom_left_x: _Inset = (0, 1)
    """Inset of the bottom left corner to the right."""
    bottom_left_y: _Inset = (0, 1)
    """Inset of the bottom left corner up."""


def matrix(
    size_in: Size,
    distortion: float,
    top_left_x: float,
    top_left_y: float,
    top_right_x: float,
    top_right_y: float,
    bottom_right_x: float,
    bottom_right_y: float,
    bottom_left_x: float,
    bottom_left_y: float,
) -> Matrix:
    height, width = size_in
    across, down = distortion * width / 2, distortion * height / 2
    source: Quad = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    target: Quad = (
        (across * top_left_x, down * top_left_y),
        (width - across * top_right_x, down * top_right_y),
        (width - across * bottom_right_x, height - down * bottom_right_y),
        (across * bottom_left_x, height - down * bottom_left_y),
    )
    return quad_to_quad(source, target)


OP = Op(
    Perspective,
    Places(matrix),
    examples=(
        Perspective(
            distortion=(0.5, 0.5), top_left_x=(1, 1), top_right_x=(1, 1), bottom_left_x=(0, 0), bottom_right_x=(0, 0)
        ),
        Perspective(distortion=(0.4, 0.4), border="replicate"),
    ),
)
