"""edge_enhance: brighter edges."""

from __future__ import annotations

from typing import Annotated, Literal

import torch

from kernels.op import Op, Stencil
from kernels.params import Params, Range, Uniform
from kernels.stencils import edges


class EdgeEnhance(Params):
    """Add a share of its edge map (see `edge_map`) to the picture."""

    op: Literal["edge_enhance"] = "edge_enhance"
    strength: Annotated[Range, Uniform(0, 1, unit="share of the edge map")] = (0.3, 0.7)
    """How much of the edge map is added."""


def edge_enhance(image: torch.Tensor, strength: float) -> torch.Tensor:
    return image + strength * edges(image)


OP = Op(EdgeEnhance, Stencil(edge_enhance), examples=(EdgeEnhance(strength=(0.5, 0.5)), EdgeEnhance(strength=(1.0, 1.0))))
