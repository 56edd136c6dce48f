"""Labels follow their picture: the same chain, forwards, clipped to the canvas after every step.

A box is carried as the outline of its corners, and becomes upright again only at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kernels.chain import Link
from kernels.label_rules import LabelRules
from kernels.labels import (
    Boxes,
    Corners,
    Dropped,
    Keypoints,
    LabelKind,
    Labels,
    Polygon,
    Reason,
    corners,
    read_mask,
    write_mask,
    written,
)
from kernels.matrices import Points
from kernels.outlines import Outlines, followed, forward, on_canvas
from kernels.tensors import Size
from kernels.warp import moved_classes

_RULES = LabelRules()


def moved(labels: Labels, links: Sequence[Link], size_in: Size, size_out: Size, rules: LabelRules = _RULES) -> Labels:
    """The labels at the end of the chain, in its pixels, in the format they came in; what was lost is in `dropped`.

    Every box, polygon and object of keypoints is either there, in its old order, or in `dropped`.
    """
    boxes, lost_boxes = _boxes(labels.boxes, links, size_in, size_out, rules)
    polygons, lost_polygons = _polygons(labels.polygons, links, size_in, rules)
    keypoints, lost_keypoints = _keypoints(labels.keypoints, links, size_in)
    mask = labels.mask
    if mask is not None and links:
        mask = write_mask(moved_classes(read_mask(mask), links))
    dropped = (*lost_boxes, *lost_polygons, *lost_keypoints)
    return Labels(boxes=boxes, polygons=polygons, keypoints=keypoints, mask=mask, dropped=dropped)


def _boxes(
    boxes: Boxes | None, links: Sequence[Link], size_in: Size, size_out: Size, rules: LabelRules
) -> tuple[Boxes | None, list[Dropped]]:
    if boxes is None or not boxes.values:
        return boxes, []
    rings = list(_rings([corners(value, boxes.format, size_in) for value in boxes.values]))
    here, shown = followed(rings, links, size_in, clip=rules.clip or boxes.format == "yolo")
    reasons = _reasons(here, len(rings), rules, upright=True)
    values: dict[int, Corners] = {}
    if len(here.numbers):
        for number, box in zip(here.numbers.tolist(), np.concatenate(shown.extents(), axis=1).tolist(), strict=True):
            if reasons[number] is None:
                values[number] = written(box, boxes.format, size_out)
    classes = None if boxes.classes is None else tuple(boxes.classes[number] for number in values)
    kept = Boxes(format=boxes.format, values=tuple(values.values()), classes=classes)
    return kept, _dropped("box", reasons)


def _polygons(
    polygons: Sequence[Polygon], links: Sequence[Link], size_in: Size, rules: LabelRules
) -> tuple[tuple[Polygon, ...], list[Dropped]]:
    if not polygons:
        return (), []
    rings = [np.array(polygon.points, dtype=np.float64) for polygon in polygons]
    here, shown = followed(rings, links, size_in, clip=rules.clip)
    reasons = _reasons(here, len(rings), rules, upright=False)
    kept = []
    for number, ring in zip(here.numbers.tolist(), shown.each(), strict=True):
        if reasons[number] is None:
            points = tuple(map(tuple, _rounded(ring).tolist()))
            kept.append(polygons[number].model_copy(update={"points": points}))
    return tuple(kept), _dropped("polygon", reasons)


def _keypoints(
    keypoints: Sequence[Keypoints], links: Sequence[Link], size_in: Size
) -> tuple[tuple[Keypoints, ...], list[Dropped]]:
    if not keypoints:
        return (), []
    numbers = np.array([point for found in keypoints for point in found.points], dtype=np.float64)
    places, given = numbers[:, :2], numbers[:, 2] > 0
    present = given & on_canvas(places, size_in)
    for link in links:
        places = forward(places, link)
        if link.border == "wrap":
            places = np.mod(places, (link.size_out.width, link.size_out.height))
        present &= on_canvas(places, link.size_out)
    results = np.where(present[:, None], np.column_stack([_rounded(places), numbers[:, 2]]), 0.0)
    ends = np.cumsum([0, *(len(found.points) for found in keypoints)]).tolist()
    kept: list[Keypoints] = []
    reasons: list[Reason | None] = []
    for found, (first, end) in zip(keypoints, pairwise(ends), strict=True):
        # an object none of whose points was there has nothing to lose
        is_lost = bool(given[first:end].any() and not present[first:end].any())
        reasons.append("outside" if is_lost else None)
        if not is_lost:
            kept.append(found.model_copy(update={"points": tuple(map(tuple, results[first:end].tolist()))}))
    return tuple(kept), _dropped("keypoints", reasons)


def _reasons(here: Outlines, count: int, rules: LabelRules, *, upright: bool) -> list[Reason | None]:
    """Why each of `count` outlines is dropped, or None. upright: whether its area is that of the box around it."""
    reasons: list[Reason | None] = ["outside"] * count
    if not len(here.numbers):
        return reasons
    low, high = here.extents()
    sides = high - low
    areas = sides.prod(axis=1) if upright else here.areas()
    narrow, few = sides.min(axis=1) < rules.min_side, areas < rules.min_area
    for number, is_hidden, is_narrow, is_few in zip(
        here.numbers.tolist(), (here.visible < rules.min_visible).tolist(), narrow.tolist(), few.tolist(), strict=True
    ):
        reasons[number] = "low_visibility" if is_hidden else "too_small" if is_narrow else "low_area" if is_few else None
    return reasons


def _dropped(kind: LabelKind, reasons: Sequence[Reason | None]) -> list[Dropped]:
    return [Dropped(kind=kind, index=index, reason=reason) for index, reason in enumerate(reasons) if reason is not None]


def _rings(boxes: Sequence[Corners]) -> NDArray[np.float64]:
    """The corners of each, clockwise from the top left: (n, 4, 2)."""
    return np.array(boxes)[:, [(0, 1), (2, 1), (2, 3), (0, 3)]]


def _rounded(points: Points) -> NDArray[np.float64]:
    """Pixels to four digits, and no negative zeros."""
    rounded: NDArray[np.float64] = np.round(points, 4) + 0.0
    return rounded
