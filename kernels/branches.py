"""Branches: other forms of a picture that operations mix it with, place by place."""

from __future__ import annotations

import torch

from kernels.colors import luma
from kernels.stencils import edges, gaussian, weighed

BRANCHES = ("blur", "edges", "grey", "invert")
"""Blurred by 1/100 of the shorter side, its edge map, its grey, its inverse."""


def branch(image: torch.Tensor, name: str) -> torch.Tensor:
    """One of `BRANCHES` of (1, 3, H, W) 0..1."""
    match name:
        case "blur":
            return weighed(image, gaussian(min(image.shape[-2:]) / 100.0))
        case "edges":
            return edges(image).expand_as(image)
        case "grey":
            return luma(image[:, 0:1], image[:, 1:2], image[:, 2:3]).expand_as(image)
        case _:
            return 1.0 - image


def mixed_by(image: torch.Tensor, name: str, field: torch.Tensor) -> torch.Tensor:
    """The picture where a field (H, W) is 0, its other form where it is 1."""
    return torch.lerp(image, branch(image, name), field.to(image.device).expand_as(image))
