"""Inverses: the way back from a result to its picture, so that what a model finds on variants is told on the picture.

For test-time augmentation: run a model on several variants, bring its boxes, points or maps back, and take their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from kernels import label_moves
from kernels.chain import BLACK, Link
from kernels.label_rules import LabelRules
from kernels.labels import Labels
from kernels.matrices import IDENTITY, Points, moved, product
from kernels.op import Covering, Likened, Matrix, Mix
from kernels.outlines import displacement_at, forward, on_canvas
from kernels.plan import Plan
from kernels.stages import Chain, cut
from kernels.tensors import Size

Values = NDArray[np.float32]
"""(H, W) or (H, W, channels)."""
_KEEPS_ALL = LabelRules(min_visible=0.0, min_side=0.0)
_MOST_CHANNELS = 4
"""Channels that OpenCV reads at once."""


@dataclass(frozen=True)
class Inverse:
    """The way from a result's pixels to its picture's. x to the right, y down, a pixel's centre at + 0.5, as for labels."""

    links: tuple[Link, ...]
    """The steps that moved pixels, in the order in which they did."""
    size: Size
    """Of the picture."""
    size_in: Size
    """Of the result: where the way begins."""

    @property
    def matrix(self) -> Matrix | None:
        """3x3, row by row, from the result's coordinates to the picture's; None where a step moved by a displacement."""
        if any(link.displacement is not None for link in self.links):
            return None
        return product(*(link.back for link in self.links), IDENTITY)

    def points(self, points: Points) -> Points:
        """Where points (n, 2) of the result lie on the picture; NaN for those that show nothing of it.

        A point of a part that `reflect` or `wrap` repeats leads to what it shows.
        """
        places = np.array(points, dtype=np.float64).reshape(-1, 2)
        places[~on_canvas(places, self.size_in)] = np.nan
        for link in reversed(self.links):
            if link.displacement is None:
                places = moved(link.back, places)
            else:
                here = np.isfinite(places).all(axis=1)
                places[here] += displacement_at(link.displacement.numpy(), places[here])
            places = _folded(places, link)
        return places

    def labels(self, labels: Labels, rules: LabelRules = _KEEPS_ALL) -> Labels:
        """The labels of a result, or what a model has found on it, on the picture; what lies off it is in `dropped`."""
        back = tuple(_turned_round(link) for link in reversed(self.links))
        return label_moves.moved(labels, back, self.size_in, self.size, rules)

    def values(self, values: Values) -> Values:
        """A map over the result, such as a model's scores, on the picture's pixels: bilinear; NaN where it shows none.

        values: (height, width) or (height, width, channels) of the result's size, in any range.
        """
        given = np.ascontiguousarray(values, dtype=np.float32)
        if given.shape[:2] != tuple(self.size_in):
            raise ValueError(f"the result is {tuple(self.size_in)} pixels high and wide, the map {given.shape[:2]}")
        x, y = ((self.places[..., axis] - 0.5).astype(np.float32) for axis in (0, 1))
        hidden = ~np.isfinite(x)
        x[hidden], y[hidden] = 0.0, 0.0
        planes = given.reshape(*self.size_in, -1)
        read = [
            cv2.remap(planes[..., first : first + _MOST_CHANNELS], x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
            for first in range(0, planes.shape[2], _MOST_CHANNELS)
        ]
        found: Values = np.concatenate([part.reshape(*self.size, -1) for part in read], axis=2)
        found[hidden] = np.nan
        return found.reshape(*self.size, *given.shape[2:])

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Where each pixel's centre of the picture lies on the result, (H, W, 2); NaN where it does not show it."""
        places = _centres(self.size)
        for link in self.links:
            here = np.isfinite(places).all(axis=1)
            places[here] = forward(places[here], link)
            if link.border == "wrap":
                places = np.mod(places, (link.size_out.width, link.size_out.height))
            places[~on_canvas(places, link.size_out)] = np.nan
        return places.reshape(*self.size, 2)


def inverse(plan: Plan) -> Inverse:
    """The way back through a plan's steps. ValueError where it lays pictures, or pieces of one, over each other."""
    laid = [step.op.name for step in plan.steps if isinstance(step.op.kind, Mix) and not _stays(step.op.kind)]
    if laid:
        raise ValueError(f"{laid[0]} lays pictures over each other: there is no one way back")
    steps = [step for step in plan.steps if step.op.part == "chain"]
    links = [link for stage in cut(steps) if isinstance(stage, Chain) for link in stage.links]
    return Inverse(tuple(links), plan.size_in, plan.size_out)


def _stays(kind: Mix) -> bool:
    return isinstance(kind, Likened | Covering)


def _folded(places: Points, link: Link) -> Points:
    """Places on a step's input canvas; what lies outside is brought back where the border shows the picture again."""
    height, width = link.size_in
    sides = np.array([width, height], dtype=np.float64)
    if link.border == "wrap":
        return np.mod(places, sides)
    if link.border == "reflect":
        return sides - np.abs(sides - np.mod(places, 2 * sides))
    places[~on_canvas(places, link.size_in)] = np.nan
    return places


def _turned_round(link: Link) -> Link:
    """The step that undoes one: from its output canvas to its input one."""
    displacement = None
    if link.displacement is not None:
        centres = _centres(link.size_in)
        shift = (forward(centres, link) - centres).T.reshape(2, *link.size_in)
        displacement = torch.from_numpy(np.ascontiguousarray(shift, dtype=np.float32))
    return Link(link.back, displacement, link.size_out, link.size_in, "constant", BLACK)


def _centres(size: Size) -> Points:
    """(pixels, 2): x and y of the centre of each, row by row."""
    y, x = np.mgrid[0 : size.height, 0 : size.width]
    return np.stack([x.reshape(-1) + 0.5, y.reshape(-1) + 0.5], axis=1)
