"""What each operation that mixes pictures means, said again: one output pixel after the other, slowly, in float64.

A reference takes (H, W, 3) uint8 pixels and the planned step, and gives the levels 0..255 that the result should have.
Partners come from `tests.helpers.pictures.company`, and are resized by the geometry's own reference.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import scipy.ndimage

from kernels.plan import PlannedStep
from kernels.tensors import Size
from tests.helpers.pictures import company
from tests.helpers.references_geometry import Levels, Pixels, Reference, by_map

# bilinear reading at float32 coordinates; the edges of pasted objects are drawn another way here
TOLERANCES = {"mixup": (0.5, 0.995), "cutmix": (0.5, 0.995), "mosaic": (0.5, 0.995), "copy_paste": (48.0, 0.98)}


def resized(pixels: Pixels, rows: int, columns: int, step: PlannedStep) -> tuple[Levels, tuple[float, float, float, float]]:
    """A picture brought to a size; and how: x scale, y scale, and shift of x and y."""
    height, width = pixels.shape[:2]
    across, down = columns / width, rows / height
    if step.fields["fit"] == "cover":
        across = down = max(across, down)
    right, below = (columns - across * width) / 2, (rows - down * height) / 2
    target = step._replace(size_out=Size(rows, columns))
    levels = by_map(pixels, target, lambda x, y: (across * x + right, down * y + below))
    return levels, (across, down, right, below)


def partner(step: PlannedStep, place: int = 0) -> Pixels:
    return company(step.partners[place]).pixels.numpy()


def mixup(pixels: Pixels, step: PlannedStep) -> Levels:
    weight = step.fields["weight"]
    other, _ = resized(partner(step), *pixels.shape[:2], step)
    return (1 - weight) * pixels + weight * other


def cutmix(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    rows, columns = (round(math.sqrt(fields["area"]) * side) for side in (height, width))
    left = min(int(fields["across"] * (width - columns + 1)), width - columns)
    top = min(int(fields["down"] * (height - rows + 1)), height - rows)
    other, _ = resized(partner(step), height, width, step)
    result = pixels.astype(np.float64)
    for y in range(top, top + rows):
        for x in range(left, left + columns):
            result[y, x] = other[y, x]
    return result


def mosaic(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = fields["size"]
    x, y = round(fields["x"] * width), round(fields["y"] * height)
    rows = []
    for top, bottom, places in ((0, y, (0, 1)), (y, height, (2, 3))):
        row = []
        for left, right, place in ((0, x, places[0]), (x, width, places[1])):
            if bottom == top or right == left:
                row.append(np.zeros((bottom - top, right - left, 3)))
                continue
            row.append(resized(partner(step, place - 1) if place else pixels, bottom - top, right - left, step)[0])
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def copy_paste(pixels: Pixels, step: PlannedStep) -> Levels:
    """Objects drawn 16 times as large; which ones they are is asked of the step, since a hash decides."""
    from kernels.mixing import Guests, Mixture, cut_objects
    from kernels.op import Cutout

    fields: Any = step.fields
    other, (across, down, right, below) = resized(partner(step), *pixels.shape[:2], step)
    chosen = cut_objects(Mixture(step, Guests(company, 3)), step.partners[0], Cutout(fields["share"], 0.0))
    labels = company(step.partners[0]).labels
    assert labels is not None
    height, width = pixels.shape[:2]
    shown = np.zeros((height, width))
    for index in chosen:
        points = np.array(labels.polygons[index].points) * (across, down) + (right, below)
        drawn = np.zeros((16 * height, 16 * width), np.uint8)
        cv2.fillPoly(drawn, [np.rint(points * 16 - 0.5).astype(np.int32)], 1)
        shown = np.maximum(shown, drawn.reshape(height, 16, width, 16).mean(axis=(1, 3)))
    if fields["softness"] >= 0.125:
        shown = scipy.ndimage.gaussian_filter(shown, fields["softness"], mode="reflect")
    return pixels + (other - pixels) * shown[..., None]


REFERENCES: dict[str, Reference] = {"mixup": mixup, "cutmix": cutmix, "mosaic": mosaic, "copy_paste": copy_paste}
