"""thin_plate_spline: bend the picture like a thin sheet of metal."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch

from kernels.bends import Knots, cubic, unfolded, uniforms
from kernels.op import Field, Op
from kernels.params import Border, Integer, IntegerRange, Range, Uniform, Warp
from kernels.tensors import Size

_KNOTS = 65
"""The spline is worked out at so many places a side, which its smoothness leaves room between."""


class ThinPlateSpline(Warp):
    """Move a few points of the picture and bend the rest as a thin plate would bend: as little as it can.

    F. Bookstein, "Principal Warps: Thin-Plate Splines and the Decomposition of Deformations" (PAMI 1989). It is weakened,
    where need be, so that nothing folds over itself.
    """

    op: Literal["thin_plate_spline"] = "thin_plate_spline"
    border: Border = "replicate"
    """What is shown outside the picture."""
    points: Annotated[IntegerRange, Integer(2, 8, unit="points along each side")] = (3, 4)
    """How many there are, from edge to edge."""
    scale: Annotated[Range, Uniform(0, 0.5, unit="fraction of the sides")] = (0.05, 0.15)
    """How far each is moved at most, along each axis."""


def displacement(size_in: Size, seed: tuple[int, int], points: int, scale: float) -> torch.Tensor:
    shifts = [(2.0 * uniforms(points, points, seed, channel) - 1.0) * scale for channel in (0, 1)]
    across, down = _spline(points, np.stack([shift.ravel() for shift in shifts], axis=1))
    return unfolded(cubic(across * size_in.width, down * size_in.height, size_in))


def _spline(points: int, values: Knots) -> tuple[Knots, Knots]:
    """The two splines through `values` (points^2, 2) at a grid of points, on a grid of knots; both fill the unit square."""
    places = _grid(points)
    count = len(places)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _pull(places, places)
    system[:count, count:] = np.column_stack([np.ones(count), places])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    knots = _grid(_KNOTS)
    found = _pull(knots, places) @ weights[:count] + np.column_stack([np.ones(len(knots)), knots]) @ weights[count:]
    return found[:, 0].reshape(_KNOTS, _KNOTS), found[:, 1].reshape(_KNOTS, _KNOTS)


def _grid(count: int) -> Knots:
    """(count^2, 2): x and y of points spread over the unit square, row by row."""
    along = np.linspace(0.0, 1.0, count)
    found: Knots = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)
    return found


def _pull(places: Knots, towards: Knots) -> Knots:
    """r^2 log r of the distance of each place to each point."""
    squared = np.square(places[:, None] - towards).sum(axis=2)
    found: Knots = 0.5 * squared * np.log(np.maximum(squared, 1e-30))
    return found


OP = Op(
    ThinPlateSpline,
    Field(displacement),
    examples=(
        ThinPlateSpline(points=(3, 3), scale=(0.15, 0.15)),
        ThinPlateSpline(points=(5, 5), scale=(0.08, 0.08), border="constant"),
    ),
)
