"""Labels follow their picture: the same chain, forwards, clipped to the canvas after every step.

Matrices move points exactly; a field is inverted by fixed-point iteration, and outlines get more points to bend with. A
box is carried as the outline of its corners, and becomes upright again only at the end. Under `wrap` the largest piece of
an object is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kernels import matrices
from kernels.chain import Link
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
from kernels.tensors import Size
from kernels.warp import moved_classes

Points = NDArray[np.float64]
"""(n, 2): x, y."""

MIN_VISIBLE = 0.1
"""A label of which a smaller share than this is left, is dropped."""
MIN_SIDE = 1.0
"""A label narrower or lower than this, in pixels, is dropped."""
_BENT_PIECE = 6.0
_MOST_PIECES = 64
"""A side that is bent by a field is cut into pieces of so many pixels, and into so many at most."""
_INVERSE_STEPS = 40


@dataclass(frozen=True)
class _Shape:
    """An outline on its way: its points, and the share of the object that is left."""

    points: Points
    visible: float


def moved(labels: Labels, links: Sequence[Link], size_in: Size, size_out: Size) -> Labels:
    """The labels at the end of the chain, in its pixels, in the format they came in; what was lost is in `dropped`."""
    boxes, lost_boxes = _boxes(labels.boxes, links, size_in, size_out)
    polygons, lost_polygons = _polygons(labels.polygons, links, size_in)
    keypoints, lost_keypoints = _keypoints(labels.keypoints, links, size_in)
    mask = labels.mask
    if mask is not None and links:
        mask = write_mask(moved_classes(read_mask(mask), links))
    dropped = (*lost_boxes, *lost_polygons, *lost_keypoints)
    return Labels(boxes=boxes, polygons=polygons, keypoints=keypoints, mask=mask, dropped=dropped)


def _boxes(boxes: Boxes | None, links: Sequence[Link], size_in: Size, size_out: Size) -> tuple[Boxes | None, list[Dropped]]:
    if boxes is None:
        return None, []
    outlines = [_ring(corners(value, boxes.format, size_in)) for value in boxes.values]
    kept: list[int] = []
    values: list[Corners] = []
    dropped: list[Dropped] = []
    for index, shape in enumerate(_followed(outlines, links, size_in)):
        reason = _lost(shape)
        if reason is not None:
            dropped.append(Dropped(kind="box", index=index, reason=reason))
            continue
        (left, top), (right, bottom) = shape.points.min(axis=0).tolist(), shape.points.max(axis=0).tolist()
        values.append(written((left, top, right, bottom), boxes.format, size_out))
        kept.append(index)
    classes = None if boxes.classes is None else tuple(boxes.classes[index] for index in kept)
    return Boxes(format=boxes.format, values=tuple(values), classes=classes), dropped


def _polygons(
    polygons: Sequence[Polygon], links: Sequence[Link], size_in: Size
) -> tuple[tuple[Polygon, ...], list[Dropped]]:
    kept: list[Polygon] = []
    dropped: list[Dropped] = []
    outlines = [np.array(polygon.points, dtype=np.float64) for polygon in polygons]
    for index, shape in enumerate(_followed(outlines, links, size_in)):
        reason = _lost(shape)
        if reason is not None:
            dropped.append(Dropped(kind="polygon", index=index, reason=reason))
            continue
        points = tuple((round(x, 4) + 0.0, round(y, 4) + 0.0) for x, y in shape.points.tolist())
        kept.append(polygons[index].model_copy(update={"points": points}))
    return tuple(kept), dropped


def _keypoints(
    keypoints: Sequence[Keypoints], links: Sequence[Link], size_in: Size
) -> tuple[tuple[Keypoints, ...], list[Dropped]]:
    kept: list[Keypoints] = []
    dropped: list[Dropped] = []
    for index, found in enumerate(keypoints):
        numbers = np.array(found.points, dtype=np.float64)
        places, present = numbers[:, :2], numbers[:, 2] > 0
        present &= _on(places, size_in)
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
    if any(link.displacement is not None for link in links):
        shapes = [replace(shape, points=_densified(shape.points)) if len(shape.points) else shape for shape in shapes]
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
    if whole == 0.0:
        return _Shape(points, 0.0)
    if not math.isfinite(whole):
        return _Shape(points[:0], 0.0)
    height, width = link.size_out
    if link.border == "wrap":
        first = np.floor(points.min(axis=0) / (width, height)).astype(int).tolist()
        last = np.floor(points.max(axis=0) / (width, height)).astype(int).tolist()
        turns = [(x, y) for y in range(first[1], last[1] + 1) for x in range(first[0], last[0] + 1)]
        kept = max((_clipped(points - (x * width, y * height), link.size_out) for x, y in turns), key=_area)
    else:
        kept = _clipped(points, link.size_out)
    left = _area(kept)
    return _Shape(kept if left > 0.0 else kept[:0], shape.visible * left / whole)


def _lost(shape: _Shape) -> Reason | None:
    if len(shape.points) == 0:
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


def _ring(box: Corners) -> Points:
    """A box's corners, clockwise from the top left."""
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def _densified(outline: Points) -> Points:
    """The same outline with a point at least every few pixels: straight lines bend in a field."""
    parts: list[Points] = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        pieces = min(max(math.ceil(math.dist(start, end) / _BENT_PIECE), 1), _MOST_PIECES)
        parts.append(start + (end - start) * (np.arange(pieces) / pieces)[:, None])
    return np.concatenate(parts)


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
