"""Sight: what a step sees of a picture's labels, as they are on the canvas that it starts from.

Labels go through the steps before it as they do at the end of a recipe, so what is seen agrees with the pixels there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.coverage import Outline, patch
from kernels.label_mixing import followed
from kernels.label_rules import LabelRules
from kernels.labels import ClassMask, ClassName, Corners, Labels, corners, read_mask
from kernels.mixing import Guests
from kernels.op import Mix
from kernels.partners import Partners
from kernels.plan import PlannedStep
from kernels.stages import cut
from kernels.tensors import Size

MOST_CLASSES = 256
"""Classes of a mask that are looked at, those of the lowest numbers; each takes a look at all of its pixels."""
Classes = Sequence[ClassName]
"""The classes that count; empty: all."""
Shape = NDArray[np.bool_]
"""(H, W): the pixels whose centres lie in an object."""


class Parts(NamedTuple):
    """The connected parts of a class mask, class by class; pixels that touch at a corner are connected."""

    marked: NDArray[np.int32]
    """(H, W): the number of each pixel's part, from 1; 0: none."""
    boxes: NDArray[np.float64]
    """(parts, 4): left, top, right, bottom of each."""


@dataclass(frozen=True)
class Sight:
    """Labels on a canvas: those that are left there. Boxes are in their own format."""

    labels: Labels
    size: Size

    def extents(self, classes: Classes = ()) -> list[Corners]:
        """The upright boxes of all objects, cut to the canvas, those without an area left out.

        Boxes, polygons, objects of keypoints, in this order; where there is none of them the parts of the class mask.
        """
        found = [*self._boxes(classes), *map(_extent, self._polygons(classes)), *self._keypoints(classes)]
        if self.is_mask_only:
            found = [(a, b, c, d) for a, b, c, d in self.parts(classes).boxes.tolist()]
        height, width = self.size
        cut = [(max(a, 0.0), max(b, 0.0), min(c, float(width)), min(d, float(height))) for a, b, c, d in found]
        return [box for box in cut if box[2] > box[0] and box[3] > box[1]]

    @property
    def is_mask_only(self) -> bool:
        """Whether nothing but a class mask says where objects are."""
        named = self.labels.boxes is not None and self.labels.boxes.values
        return not (named or self.labels.polygons or self.labels.keypoints) and self.mask is not None

    def outlined(self, classes: Classes = ()) -> list[int]:
        """The objects that have an outline, by their places among the polygons, or the boxes where there is no polygon."""
        boxes = self.labels.boxes
        if self.labels.polygons:
            names = [polygon.category for polygon in self.labels.polygons]
        else:
            names = [] if boxes is None else [*(boxes.classes or (None,) * len(boxes.values))]
        return [place for place, name in enumerate(names) if _counts(name, classes)]

    def covered(self, places: Sequence[int]) -> Shape:
        """The pixels of some of the objects that have an outline."""
        shape = np.zeros(self.size, np.bool_)
        outlines = self._polygons(()) or [_ring(box) for box in self._boxes(())]
        for place in places:
            if (drawn := patch(outlines[place], self.size)) is not None:
                rows, columns = drawn.inside.shape
                shape[drawn.top : drawn.top + rows, drawn.left : drawn.left + columns] |= drawn.inside >= 0.5
        return shape

    def parts(self, classes: Classes = ()) -> Parts:
        """The parts of the class mask, of which class 0 is none; without a mask there are none."""
        marked = np.zeros(self.size, np.int32)
        boxes = [np.zeros((0, 4))]
        count = 0
        for number in [] if self.mask is None else np.unique(self.mask[self.mask != 0])[:MOST_CLASSES].tolist():
            if not _counts(number, classes):
                continue
            here = self.mask == number
            left, top, right, bottom = map(int, _box_of(here))
            within = here[top:bottom, left:right]
            _, found, stats, _ = cv2.connectedComponentsWithStats(within.astype(np.uint8), connectivity=8)
            marked[top:bottom, left:right][within] = found[within] + count
            low = stats[1:, :2].astype(np.float64) + np.array([left, top])
            boxes.append(np.concatenate([low, low + stats[1:, 2:4]], axis=1))
            count += len(low)
        return Parts(marked, np.concatenate(boxes))

    @cached_property
    def mask(self) -> ClassMask | None:
        """Class numbers (H, W)."""
        return None if self.labels.mask is None else read_mask(self.labels.mask)

    def _boxes(self, classes: Classes) -> list[Corners]:
        boxes = self.labels.boxes
        if boxes is None:
            return []
        names = boxes.classes or (None,) * len(boxes.values)
        return [
            corners(value, boxes.format, self.size)
            for value, name in zip(boxes.values, names, strict=True)
            if _counts(name, classes)
        ]

    def _polygons(self, classes: Classes) -> list[Outline]:
        return [
            np.array(polygon.points, dtype=np.float64)
            for polygon in self.labels.polygons
            if _counts(polygon.category, classes)
        ]

    def _keypoints(self, classes: Classes) -> list[Corners]:
        """Half a pixel about the points of each object, so that a single one has an area too."""
        found = []
        for one in self.labels.keypoints:
            seen = [(x, y) for x, y, visible in one.points if visible > 0]
            if seen and _counts(one.category, classes):
                left, top, right, bottom = _extent(np.array(seen))
                found.append((left - 0.5, top - 0.5, right + 0.5, bottom + 0.5))
        return found


def sight(
    labels: Labels | None,
    steps: Sequence[PlannedStep],
    size_in: Size,
    size: Size,
    rules: LabelRules,
    partners: Partners | None,
) -> Sight | None:
    """What is seen after the steps, on a canvas of `size`; None where neither the picture nor a partner has labels.

    partners: where steps that mix find theirs; without it nothing is seen behind such a step. Displacements of fields are
    worked out for it, and once more when the plan is run. PartnerUnusable, LabelInvalid.
    """
    taking = [step for step in steps if isinstance(step.op.kind, Mix) and step.op.kind.partners]
    if any(partners is None or not step.partners for step in taking) or (labels is None and not taking):
        return None
    before = LabelRules(min_visible=rules.min_visible, min_side=0.0)
    found = followed(labels, cut(steps, partners and Guests(partners, 3)), size_in, size, before)
    return None if found is None else Sight(found, size)


def _counts(name: ClassName | None, classes: Classes) -> bool:
    return not classes or name in classes


def _ring(box: Corners) -> Outline:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _extent(points: Outline) -> Corners:
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom


def _box_of(shape: Shape) -> Corners:
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1]) + 1.0, float(rows[-1]) + 1.0
