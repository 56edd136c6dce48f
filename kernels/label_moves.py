"""Labels follow their picture: the same chain, forwards, clipped to the canvas after every step.

Matrices move points exactly; a field is inverted by fixed-point iteration. A box is carried as the outline of its
corners, and becomes upright again only at the end. Under `wrap` the largest piece of an object is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import matrices
from kernels.chain import Link, chain
from kernels.labels import (
    Boxes,
    Corners,
    Dropped,
    Keypoints,
    Labels,
    Polygon,
    Reason,
    corners,
    read_mask,
    write_mask,
    written,
)
from kernels.op import Field, Places
from kernels.plan import Plan
from kernels.tensors import Size
from kernels.warp import moved_classes

Points = NDArray[np.float64]
"""(n, 2): x, y."""

MIN_VISIBLE = 0.1
"""A label of which a smaller share than this is left, is dropped."""
MIN_SIDE = 1.0
"""A label narrower or lower than this, in pixels, is dropped."""
_EDGE_POINTS = 8
"""Points on each side of a box that is bent by a field."""
_INVERSE_STEPS = 40


@dataclass(frozen=True)
class _Shape:
    """An outline on its way: its points, and the share of the object that is left."""

    points: Points
    visible: float


def moved(labels: Labels, plan: Plan) -> Labels:
    """The labels of the plan's result, in its pixels, in the format they came in; what was lost is in `dropped`."""
    links = chain([step for step in plan.steps if isinstance(step.op.kind, Places | Field)])
    boxes, lost_boxes = _boxes(labels.boxes, links, plan)
    polygons, lost_polygons = _polygons(labels.polygons, links, plan)
    keypoints, lost_keypoints = _keypoints(labels.keypoints, links, plan)
    mask = labels.mask
    if mask is not None and links:
        mask = write_mask(moved_classes(read_mask(mask), links))
    dropped = (*lost_boxes, *lost_polygons, *lost_keypoints)
    return Labels(boxes=boxes, polygons=polygons, keypoints=keypoints, mask=mask, dropped=dropped)


def _boxes(boxes: Boxes | None, links: Sequence[Link], plan: Plan) -> tuple[Boxes | None, list[Dropped]]:
    if boxes is None:
        return None, []
    bent = any(link.displacement is not None for link in links)
    outlines = [_outline(corners(value, boxes.format, plan.size_in), _EDGE_POINTS if bent else 1) for value in boxes.values]
    kept: list[int] = []
    values: list[Corners] = []
    dropped: list[Dropped] = []
    for index, shape in enumerate(_followed(outlines, links, plan.size_in)):
        reason = _lost(shape)
        if reason is not None:
            dropped.append(Dropped(kind="box", index=index, reason=reason))
            continue
        (left, top), (right, bottom) = shape.points.min(axis=0).tolist(), shape.points.max(axis=0).tolist()
        values.append(written((left, top, right, bottom), boxes.format, plan.size_out))
        kept.append(index)
    classes = None if boxes.classes is None else tuple(boxes.classes[index] for index in kept)
    return Boxes(format=boxes.format, values=tuple(values), classes=classes), dropped


def _polygons(polygons: Sequence[Polygon], links: Sequence[Link], plan: Plan) -> tuple[tuple[Polygon, ...], list[Dropped]]:
    kept: list[Polygon] = []
    dropped: list[Dropped] = []
    outlines = [np.array(polygon.points, dtype=np.float64) for polygon in polygons]
    for index, shape in enumerate(_followed(outlines, links, plan.size_in)):
        reason = _lost(shape)
        if reason is not None:
            dropped.append(Dropped(kind="polygon", index=index, reason=reason))
            continue
        points = tuple((round(x, 4) + 0.0, round(y, 4) + 0.0) for x, y in shape.points.tolist())
        kept.append(polygons[index].model_copy(update={"points": points}))
    return tuple(kept), dropped


def _keypoints(
    keypoints: Sequence[Keypoints], links: Sequence[Link], plan: Plan
) -> tuple[tuple[Keypoints, ...], list[Dropped]]:
    kept: list[Keypoints] = []
    dropped: list[Dropped] = []
    for index, found in enumerate(keypoints):
        numbers = np.array(found.points, dtype=np.float64)
        places, present = numbers[:, :2], numbers[:, 2] > 0
        present &= _on(places, plan.size_in)
        for link in links:
            places = _forward(places, link)
            if link.border == "wrap":
                places = np.mod(places, (link.size_out.width, link.size_out.height))
            present &= _on(places, link.size_out)
        if not present.any():
            dropped.append(Dropped(kind="keypoints", index=index, reason="outside"))
            continue
        points = tuple(
            (round(x, 4) + 0.0, round(y, 4) + 0.0, seen) if there else (0.0, 0.0, 0.0)
            for (x, y), seen, there in zip(places.tolist(), numbers[:, 2].tolist(), present.tolist(), strict=True)
        )
        kept.append(found.model_copy(update={"points": points}))
    return tuple(kept), dropped


def _followed(outlines: Sequence[Points], links: Sequence[Link], size: Size) -> list[_Shape]:
    """Outlines at the end of the chain. What lies off the picture from the start does not count as lost."""
    shapes = [_Shape(_clipped(outline, size), 1.0) for outline in outlines]
    for link in links:
        if not shapes:
            break
        ends = np.cumsum([len(shape.points) for shape in shapes])[:-1]
        places = np.split(_forward(np.concatenate([shape.points for shape in shapes]), link), ends)
        shapes = [_cut(shape, points, link) for shape, points in zip(shapes, places, strict=True)]
    return shapes


def _cut(shape: _Shape, points: Points, link: Link) -> _Shape:
    """A moved outline on its new canvas."""
    whole = _area(points)
    if len(points) == 0 or not np.isfinite(points).all() or whole == 0.0:
        return _Shape(points[:0], 0.0) if whole == 0.0 or not np.isfinite(whole) else shape
    width, height = link.size_out.width, link.size_out.height
    if link.border == "wrap":
        first = np.floor(points.min(axis=0) / (width, height)).astype(int)
        last = np.floor(points.max(axis=0) / (width, height)).astype(int)
        turns = [(x, y) for y in range(first[1], last[1] + 1) for x in range(first[0], last[0] + 1)]
        pieces = [_clipped(points - (x * width, y * height), link.size_out) for x, y in turns]
        kept = max(pieces, key=_area)
    else:
        kept = _clipped(points, link.size_out)
    return _Shape(kept, shape.visible * _area(kept) / whole)


def _lost(shape: _Shape) -> Reason | None:
    if len(shape.points) == 0 or shape.visible == 0.0:
        return "outside"
    sides = shape.points.max(axis=0) - shape.points.min(axis=0)
    return "too_small" if shape.visible < MIN_VISIBLE or sides.min() < MIN_SIDE else None


def _forward(points: Points, link: Link) -> Points:
    """Where points of a step's input canvas go."""
    if link.displacement is None:
        return matrices.moved(link.forward, points)
    field = link.displacement.numpy()
    places = points
    for _ in range(_INVERSE_STEPS):
        places = points - _read(field, places)
    return places


def _read(field: NDArray[np.float32], points: Points) -> Points:
    """The displacement (n, 2) at points, bilinear between pixels, its edge beyond them."""
    _, height, width = field.shape
    x, y = np.clip(points[:, 0] - 0.5, 0, width - 1), np.clip(points[:, 1] - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper = field[:, top, left] * (1 - across) + field[:, top, right] * across
    lower = field[:, bottom, left] * (1 - across) + field[:, bottom, right] * across
    shift: Points = (upper * (1 - down) + lower * down).T.astype(np.float64)
    return shift


def _outline(box: Corners, points_a_side: int) -> Points:
    """A box's outline, clockwise from the top left, each side in equal parts."""
    left, top, right, bottom = box
    ring = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
    along = np.arange(points_a_side)[None, :, None] / points_a_side
    sides = ring[:, None] + (np.roll(ring, -1, axis=0) - ring)[:, None] * along
    outline: Points = sides.reshape(-1, 2)
    return outline


def _clipped(points: Points, size: Size) -> Points:
    """The part of an outline on the canvas (Sutherland and Hodgman); empty if there is none."""
    if len(points) and _on(points, size).all():
        return points
    ring = points.tolist()
    for axis, edge, sign in ((0, 0.0, 1.0), (0, float(size.width), -1.0), (1, 0.0, 1.0), (1, float(size.height), -1.0)):
        kept: list[list[float]] = []
        for start, end in zip(ring[-1:] + ring[:-1], ring, strict=True):
            before, after = (start[axis] - edge) * sign, (end[axis] - edge) * sign
            if (before < 0.0) != (after < 0.0):
                share = before / (before - after)
                crossing = [start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share]
                crossing[axis] = edge
                kept.append(crossing)
            if after >= 0.0:
                kept.append(end)
        ring = kept
    return np.array(ring, dtype=np.float64).reshape(-1, 2)


def _on(points: Points, size: Size) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    return (x >= 0.0) & (x <= size.width) & (y >= 0.0) & (y <= size.height)


def _area(points: Points) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)
