"""What operations that look at labels mean, and parts of pictures: said again from the labels, slowly.

The labels are those of `tests.helpers.pictures.labels_of`; what an operation has found out about them is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.params import Params
from kernels.plan import Plan, PlannedStep
from kernels.tensors import Size
from tests.helpers.pictures import labels_of
from tests.helpers.references_fields import uniform
from tests.helpers.references_geometry import Levels, Pixels, Reference, by_map

Box = tuple[float, float, float, float]
Part = tuple[int, int, int, int, NDArray[np.bool_]]
"""Left, top, right, bottom, and which pixels of it are shown."""

TOLERANCES = {
    # resampled at float32 coordinates
    "box_safe_crop": (0.5, 0.995),
    "crop_near_box": (0.5, 0.995),
}


def extents(height: int, width: int) -> list[Box]:
    """Boxes, outlines and points of the picture's objects, as upright boxes."""
    labels = labels_of(Size(height, width))
    assert labels.boxes is not None
    found: list[Box] = [*labels.boxes.values]
    for polygon in labels.polygons:
        xs, ys = zip(*polygon.points, strict=True)
        found.append((min(xs), min(ys), max(xs), max(ys)))
    for one in labels.keypoints:
        xs, ys = [x for x, _, _ in one.points], [y for _, y, _ in one.points]
        found.append((min(xs) - 0.5, min(ys) - 0.5, max(xs) + 0.5, max(ys) + 0.5))
    return [(max(a, 0.0), max(b, 0.0), min(c, width), min(d, height)) for a, b, c, d in found]


def nth(found: list[Box], fraction: float) -> Box:
    for number, box in enumerate(found):
        if fraction < (number + 1) / len(found):
            return box
    return found[-1]


def whole(fraction: float, free: int) -> int:
    """One of the whole numbers 0 to `free`, or down to it."""
    return int(math.copysign(1, free)) * min(int(fraction * (abs(free) + 1)), abs(free))


def window_of(pixels: Pixels, step: PlannedStep, left: int, top: int, right: int, bottom: int) -> Levels:
    rows, columns = step.fields["size"] or (bottom - top, right - left)
    assert step.size_out == (rows, columns)
    across, down = columns / (right - left), rows / (bottom - top)
    return by_map(pixels, step, lambda x, y: (across * (x - left), down * (y - top)))


def box_safe_crop(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    kept = extents(height, width)
    if fields["keep"] == "one":
        kept = [nth(kept, fields["pick"])]
    ends = []
    for low, high, side, before, after in (
        (min(box[0] for box in kept), max(box[2] for box in kept), width, "left", "right"),
        (min(box[1] for box in kept), max(box[3] for box in kept), height, "top", "bottom"),
    ):
        less = fields["erode"] * (high - low) / 2
        first = min(int(low + less), side - 1)
        last = max(math.ceil(high - less), first + 1)
        ends.append((whole(fields[before], first), side - whole(fields[after], side - last)))
    (left, right), (top, bottom) = ends
    return window_of(pixels, step, left, top, right, bottom)


def crop_near_box(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    objects = extents(height, width)
    larger = [box for box in objects if max(box[2] - box[0], box[3] - box[1]) > 1.01]
    left, top, right, bottom = nth(larger or objects, fields["pick"])
    across, down = right - left, bottom - top
    begin = min(max(math.floor(left - fields["left"] * across + 0.5), 0), width - 1)
    first = min(max(math.floor(top - fields["top"] * down + 0.5), 0), height - 1)
    end = min(max(math.floor(right + fields["right"] * across + 0.5), begin + 1), width)
    last = min(max(math.floor(bottom + fields["bottom"] * down + 0.5), first + 1), height)
    return window_of(pixels, step, begin, first, end, last)


def non_empty_crop(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    left, top, right, bottom = nth(extents(height, width), fields["pick"])
    rows, columns = fields["size"]
    ends = []
    for fraction, low, high, side, window in (
        (fields["x"], left, right, width, columns),
        (fields["y"], top, bottom, height, rows),
    ):
        if window >= side:
            ends.append(whole(fraction, side - window))
            continue
        places = range(side - window + 1)
        showing = [at for at in places if at <= low and high <= at + window]
        within = [at for at in places if int(low) <= at and at + window <= math.ceil(high)]
        held = showing or within
        ends.append(held[min(int(fraction * len(held)), len(held) - 1)])
    return by_map(pixels, step, lambda x, y: (x - ends[0], y - ends[1]))


def label_aware_dropout(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    result = pixels.astype(np.float64)
    boxes = extents(*pixels.shape[:2])
    ranked = sorted(range(len(boxes)), key=lambda place: uniform(place, 0, step))
    for place in ranked[: math.ceil(fields["share"] * len(boxes))]:
        left, top, right, bottom = boxes[place]
        across, down = math.ceil(right) - int(left), math.ceil(bottom) - int(top)
        columns, rows = round(fields["width"] * across), round(fields["height"] * down)
        for hole in range(fields["holes"]):
            number = place * fields["holes"] + hole
            begin = int(left) + whole(uniform(number, 1, step), across - columns)
            first = int(top) + whole(uniform(number, 2, step), down - rows)
            for y in range(first, first + rows):
                for x in range(begin, begin + columns):
                    result[y, x] = 255 * np.array(fields["color"])
    return result


def inside(points: Any, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of which at least half lie in an outline, as four lines across each pixel find it."""
    covered = np.zeros((height, width))
    for line in range(4 * height):
        y = (line + 0.5) / 4
        crossings = []
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            if min(y0, y1) <= y < max(y0, y1):
                crossings.append(x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        for begin, end in zip(sorted(crossings)[::2], sorted(crossings)[1::2], strict=True):
            for x in range(width):
                covered[line // 4, x] += max(0.0, min(end, x + 1) - max(begin, x)) / 4
    found: NDArray[np.bool_] = covered >= 0.5
    return found


def mask_dropout(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    polygons = labels_of(Size(height, width)).polygons
    result = pixels.astype(np.float64)
    ranked = sorted(range(len(polygons)), key=lambda place: uniform(place, 0, step))
    for place in ranked[: fields["n"]]:
        result[inside(polygons[place].points, height, width)] = 255 * np.array(fields["color"])
    return result


def parts(params: Params, made: Plan, height: int, width: int) -> Iterator[Part]:
    """The parts of a picture that the step carries out its steps on, in the order of its draws."""
    given: Any = params
    drawn: Any = made.draws[0]["draws"]
    match params.op:
        case "channel_subset":
            chosen = [name in given.channels for name in ("red", "green", "blue")]
            yield 0, 0, width, height, np.tile(chosen, (height, width, 1))
        case "patchwise":
            down, across = given.grid
            for row in range(down):
                for column in range(across):
                    left, right = (int(width * place / across) for place in (column, column + 1))
                    top, bottom = (int(height * place / down) for place in (row, row + 1))
                    yield left, top, right, bottom, np.ones((bottom - top, right - left), np.bool_)
        case "region_limited":
            region = np.zeros((height, width), np.bool_)
            rows, columns = max(round(drawn["height"] * height), 1), max(round(drawn["width"] * width), 1)
            left, top = whole(drawn["x"], width - columns), whole(drawn["y"], height - rows)
            for y in range(height):
                for x in range(width):
                    u, v = (x + 0.5 - left) / columns, (y + 0.5 - top) / rows
                    if drawn["shape"] == "ellipse":
                        region[y, x] = math.hypot(u - 0.5, v - 0.5) <= 0.5
                    else:
                        region[y, x] = 0 < u < 1 and 0 < v < 1
            if drawn["shape"] == "objects":
                outlines = [inside(polygon.points, height, width) for polygon in labels_of(Size(height, width)).polygons]
                region = np.logical_or.reduce(outlines)
            yield 0, 0, width, height, region if given.side == "inside" else ~region
        case _:
            raise AssertionError(f"{params.op} has no reference")


REFERENCES: dict[str, Reference] = {
    "box_safe_crop": box_safe_crop,
    "crop_near_box": crop_near_box,
    "label_aware_dropout": label_aware_dropout,
    "mask_dropout": mask_dropout,
    "non_empty_crop": non_empty_crop,
}
