"""YOLO label files: one object a line, a class number and fractions of the picture's sides.

`class cx cy w h` is a box, `class x1 y1 x2 y2 x3 y3 ...` an outline; keypoints (`class cx cy w h x1 y1 v1 ...`) and
oriented boxes (`class x1 y1 ... x4 y4`) are read where they are asked for, because they may look like outlines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kernels.errors import LabelAmbiguous, LabelInvalid
from kernels.tensors import Size
from service.expansion.sidecars import LabelForm

_OVER = 1e-3
"""How far beyond 0..1 a fraction may lie: files carry rounded decimals."""
Point = tuple[float, float]


def read_yolo(content: bytes, form: LabelForm, size: Size) -> dict[str, Any]:
    """Labels in the shape of the REST contract. LabelInvalid and LabelAmbiguous name the line."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise LabelInvalid("is not UTF-8 text") from None
    boxes: list[Sequence[float]] = []
    classes: list[int] = []
    polygons: list[dict[str, Any]] = []
    keypoints: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        category, values = _numbers(line, number)
        kind = _kind(values, form, number)
        if kind == "polygon":
            over = 1.0 if form == "yolo-obb" else _OVER  # oriented boxes may hang over the edge
            polygons.append({"class": category, "points": _pixels(values, size, over, number)})
            continue
        _check(values[:4], _OVER, number)
        boxes.append(values[:4])
        classes.append(category)
        if kind == "pose":
            places = _pixels([v for at in range(4, len(values), 3) for v in values[at : at + 2]], size, _OVER, number)
            points = [[x, y, seen] for (x, y), seen in zip(places, values[6::3], strict=True)]
            keypoints.append({"class": category, "points": points})
    # boxes are there even if there are none: so a result shows that its picture had a label file
    labels: dict[str, Any] = {"boxes": {"format": "yolo", "values": boxes, "classes": classes}}
    return labels | {name: found for name, found in (("polygons", polygons), ("keypoints", keypoints)) if found}


def write_yolo(labels: Mapping[str, Any], form: LabelForm, size: Size) -> str:
    """The file of a result's labels; empty where none is left."""
    return "".join(
        f"{' '.join([str(category), *map(_digits, values)])}\n" for category, values in _lines(labels, form, size)
    )


def _lines(labels: Mapping[str, Any], form: LabelForm, size: Size) -> Iterator[tuple[int, Sequence[float]]]:
    boxes = labels["boxes"]
    objects = labels.get("keypoints", [])
    if form == "yolo-pose":
        lost = {
            kind: {one["index"] for one in labels.get("dropped", []) if one["kind"] == kind}
            for kind in ("box", "keypoints")
        }
        kept = iter(objects)
        by_line = {
            number: None if number in lost["keypoints"] else next(kept)
            for number in range(len(objects) + len(lost["keypoints"]))
        }
        absent = [0.0, 0.0, 0.0] * max((len(one["points"]) for one in objects), default=0)
        lines = [number for number in range(len(boxes["values"]) + len(lost["box"])) if number not in lost["box"]]
        for number, category, box in zip(lines, boxes["classes"], boxes["values"], strict=True):
            found = by_line.get(number)
            points = [value for point in found["points"] for value in _shares(point, size)] if found else absent
            yield category, [*box, *points]
        return
    for category, box in zip(boxes.get("classes") or (), boxes["values"], strict=True):
        yield category, box
    for polygon in labels.get("polygons", []):
        ring: list[Point] = [(x, y) for x, y in polygon["points"]]
        if form == "yolo-obb" and len(ring) != 4:
            ring = smallest_rectangle(ring)
        yield polygon["class"], [value for point in ring for value in _shares(point, size)]


def smallest_rectangle(points: Sequence[Point]) -> list[Point]:
    """The corners of the smallest rectangle around a convex outline, one of whose sides it lies on."""
    best: tuple[float, list[Point]] = (math.inf, [])
    for (x, y), (u, v) in zip(points, [*points[1:], points[0]], strict=True):
        length = math.hypot(u - x, v - y)
        if length == 0.0:
            continue
        c, s = (u - x) / length, (v - y) / length
        along, across = [p * c + q * s for p, q in points], [q * c - p * s for p, q in points]
        left, right, top, bottom = min(along), max(along), min(across), max(across)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        area = (right - left) * (bottom - top)
        if area < best[0]:
            best = area, [(a * c - b * s, a * s + b * c) for a, b in corners]
    return best[1]


def _numbers(line: str, number: int) -> tuple[int, list[float]]:
    try:
        category, *values = (float(word) for word in line.split())
    except ValueError:
        raise LabelInvalid(f"line {number} holds something else than numbers{_HINT}") from None
    if not all(map(math.isfinite, (category, *values))) or category < 0 or category != int(category):
        raise LabelInvalid(f"line {number} must begin with a class number, 0 or above, and hold finite numbers{_HINT}")
    return int(category), values


_HINT = "; `--labels none` leaves such files alone"


def _kind(values: Sequence[float], form: LabelForm, number: int) -> str:
    count = len(values)
    pose = count > 4 and (count - 4) % 3 == 0 and all(seen in (0, 1, 2) for seen in values[6::3])
    polygon = count >= 6 and count % 2 == 0
    if form == "yolo-pose":
        if pose:
            return "pose"
        raise LabelInvalid(f"line {number}: keypoints are `class cx cy w h` and x, y, visibility (0, 1, 2) of each")
    if form == "yolo-obb":
        if count == 8:
            return "polygon"
        raise LabelInvalid(f"line {number} has {count + 1} numbers; an oriented box is `class x1 y1 x2 y2 x3 y3 x4 y4`")
    if count == 4:
        return "box"
    if polygon and pose and form == "auto":
        raise LabelAmbiguous(
            f"line {number} may be an outline, or a box with keypoints: say `--labels yolo` or `yolo-pose`"
        )
    if polygon:
        return "polygon"
    hint = "; keypoints need `--labels yolo-pose`" if pose else _HINT
    raise LabelInvalid(
        f"line {number} has {count + 1} numbers, which is neither a box (5) nor an outline (7, 9, ...){hint}"
    )


def _check(values: Sequence[float], over: float, number: int) -> None:
    if not all(-over <= value <= 1 + over for value in values):
        raise LabelInvalid(f"line {number}: numbers are fractions of the picture's sides, 0 to 1")


def _pixels(values: Sequence[float], size: Size, over: float, number: int) -> list[Point]:
    _check(values, over, number)
    return [(x * size.width, y * size.height) for x, y in zip(values[::2], values[1::2], strict=True)]


def _shares(point: Sequence[float], size: Size) -> list[float]:
    return [point[0] / size.width, point[1] / size.height, *point[2:]]


def _digits(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")
