"""alpha_blend: a second picture shows through in some places more than in others."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels import words
from kernels.matrices import IDENTITY
from kernels.op import Layer, Mix, Op, Region
from kernels.ops.cutmix import Fit, fitted
from kernels.params import Choice, Integer, IntegerRange, Names, Params, Range, Uniform
from kernels.tensors import Size

PATTERNS = ("left_to_right", "top_to_bottom", "from_middle", "checkerboard", "grid")


class AlphaBlend(Params):
    """Blend the picture with another one of the batch by a pattern: a gradient, a checkerboard, or a grid of random shares.

    Labels of both are kept as far as they can be seen. imgaug's `BlendAlpha` family blends two augmentations of one picture
    so.
    """

    op: Literal["alpha_blend"] = "alpha_blend"
    pattern: Annotated[Names, Choice(PATTERNS)] = PATTERNS
    """Where the other picture shows: more and more towards the right, the bottom or the edges, in every second cell, or in
    each cell by a share of its own."""
    opacity: Annotated[Range, Uniform(0, 1, unit="share of the other picture")] = (0.4, 1.0)
    """How much of it shows at most."""
    cells: Annotated[IntegerRange, Integer(1, 64, unit="cells along each side")] = (2, 8)
    """How many cells a checkerboard or a grid has."""
    fit: Fit = "cover"
    """How the other picture is brought to this one's size."""


def layer(
    place: int,
    source: Size,
    canvas: Size,
    seed: tuple[int, int],
    pattern: str,
    opacity: float,
    cells: int,
    fit: Fit,
) -> Layer:
    whole = Region(0, 0, canvas.width, canvas.height)
    if place == 0:
        return Layer(IDENTITY, whole)
    down, across = (((np.arange(side) + 0.5) / side).astype(np.float32) for side in canvas)
    if pattern in ("checkerboard", "grid"):
        rows, columns = ((along * cells).astype(np.int64) for along in (down, across))
        if pattern == "checkerboard":
            shown = ((rows[:, None] + columns) % 2).astype(np.float32)
        else:
            places = torch.arange(cells * cells).view(cells, cells)
            shares = torch.as_tensor(words.TORCH["uniform"](places, seed, 0)).numpy().astype(np.float32)
            shown = shares[rows[:, None], columns]
    elif pattern == "from_middle":
        shown = np.minimum(np.hypot(2 * across - 1, (2 * down - 1)[:, None]), np.float32(1))
    else:
        along = across[None, :] if pattern == "left_to_right" else down[:, None]
        shown = np.broadcast_to(along, canvas).copy()
    return Layer(fitted(fit, source, canvas), whole, opacity, shown)


OP = Op(
    AlphaBlend,
    Mix(1, layer),
    examples=(
        AlphaBlend(pattern=("left_to_right",), opacity=(1, 1)),
        AlphaBlend(pattern=("checkerboard",), cells=(5, 5), opacity=(0.9, 0.9)),
        AlphaBlend(pattern=("grid", "from_middle", "top_to_bottom"), fit="stretch"),
    ),
)
