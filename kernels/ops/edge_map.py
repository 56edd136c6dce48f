"""edge_map: nothing but the edges."""

from __future__ import annotations

from typing import Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params
from kernels.stencils import edges


class EdgeMap(Params):
    """Replace the picture by its edges: the Sobel magnitude of its grey, scaled so that the steepest is white.

    A picture without any edge becomes black.
    """

    op: Literal["edge_map"] = "edge_map"


def edge_map(image: torch.Tensor) -> torch.Tensor:
    return edges(image).expand_as(image)


OP = Op(EdgeMap, Stencil(edge_map), examples=(EdgeMap(),))
