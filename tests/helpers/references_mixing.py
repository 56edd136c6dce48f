"""What each operation that mixes pictures means, said again: one output pixel after the other, slowly, in float64.

A reference takes (H, W, 3) uint8 pixels and the planned step, and gives the levels 0..255 that the result should have.
Partners come from `tests.helpers.pictures.company`, and are resized by the geometry's own reference.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import scipy.linalg
import scipy.ndimage
from skimage.exposure import match_histograms

from kernels.labels import read_mask
from kernels.plan import PlannedStep
from kernels.tensors import Size
from tests.helpers.pictures import company
from tests.helpers.references_fields import uniform
from tests.helpers.references_geometry import Levels, Pixels, Reference, by_map

# bilinear reading at float32 coordinates; the edges of pasted objects are drawn another way here
TOLERANCES = {
    "alpha_blend": (0.5, 0.995),
    "copy_paste": (48.0, 0.98),
    "cutmix": (0.5, 0.995),
    "fda": (0.5, 0.995),
    "mixup": (0.5, 0.995),
    "mosaic": (0.5, 0.995),
    "overlay": (0.5, 0.995),
    "patchmix": (0.5, 0.995),
    "pixel_distribution_adaptation": (0.5, 0.995),
    # a class ends where the nearest pixel is another one's: at float32 coordinates that may be either of two
    "transplantation": (0.5, 0.98),
    # a level of the partner that is rounded the other way moves the levels that are matched to it by one
    "histogram_matching": (1.5, 0.99),
}


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


def laid(pixels: Pixels, other: Levels, share: Levels) -> Levels:
    return pixels + (other - pixels) * np.asarray(share, dtype=np.float64)[..., None]


def patchmix(pixels: Pixels, step: PlannedStep) -> Levels:
    side = step.fields["patch"]
    other, _ = resized(partner(step), *pixels.shape[:2], step)
    taken = {}
    for y, x in np.ndindex(pixels.shape[:2]):
        place = y // side, x // side
        if place not in taken:
            taken[place] = uniform(place[0] * 2**15 + place[1], 0, step) < step.fields["share"]
    shown = np.array([[taken[y // side, x // side] for x in range(pixels.shape[1])] for y in range(pixels.shape[0])])
    return laid(pixels, other, shown)


def alpha_blend(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    cells = fields["cells"]
    other, _ = resized(partner(step), height, width, step)

    def share(x: float, y: float) -> float:
        column, row = int(x * cells), int(y * cells)
        return {
            "left_to_right": lambda: x,
            "top_to_bottom": lambda: y,
            "from_middle": lambda: min(math.hypot(2 * x - 1, 2 * y - 1), 1.0),
            "checkerboard": lambda: float((column + row) % 2),
            "grid": lambda: uniform(row * cells + column, 0, step),
        }[fields["pattern"]]()

    shares = [[share((x + 0.5) / width, (y + 0.5) / height) for x in range(width)] for y in range(height)]
    return laid(pixels, other, fields["opacity"] * np.array(shares))


def overlay(pixels: Pixels, step: PlannedStep) -> Levels:
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    source = partner(step)
    factor = min(height / source.shape[0], width / source.shape[1]) * fields["size"]
    rows, columns = (max(round(side * factor), 1) for side in source.shape[:2])
    target = step._replace(size_out=Size(rows, columns))
    small = by_map(source, target, lambda x, y: (x * columns / source.shape[1], y * rows / source.shape[0]))
    left = min(int(fields["x"] * (width - columns + 1)), width - columns)
    top = min(int(fields["y"] * (height - rows + 1)), height - rows)
    result = pixels.astype(np.float64)
    beneath = result[top : top + rows, left : left + columns]
    beneath += (small - beneath) * fields["opacity"]
    return result


def transplantation(pixels: Pixels, step: PlannedStep) -> Levels:
    """Which classes they are is decided by a hash, said once more here; a class's pixels are those of the nearest."""
    fields: Any = step.fields
    height, width = pixels.shape[:2]
    other, (across, down, right, below) = resized(partner(step), height, width, step)
    labels = company(step.partners[0]).labels
    assert labels is not None
    assert labels.mask is not None
    mask = read_mask(labels.mask)
    present = sorted(set(mask.ravel().tolist()) - {0})
    point = step.noise_seed[0] << 32 | step.noise_seed[1]
    ranked = sorted(present, key=lambda one: splitmix(one ^ point))
    chosen = ranked[: math.ceil(fields["share"] * len(present))]
    shown = np.zeros((height, width))
    for y, x in np.ndindex(height, width):
        column = min(max(int((x + 0.5 - right) / across), 0), mask.shape[1] - 1)
        row = min(max(int((y + 0.5 - below) / down), 0), mask.shape[0] - 1)
        shown[y, x] = mask[row, column] in chosen
    return laid(pixels, other, shown)


def splitmix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def stretched(pixels: Pixels, step: PlannedStep) -> Levels:
    """The partner brought to the picture's size."""
    return resized(partner(step), *pixels.shape[:2], step._replace(fields={"fit": "stretch"}))[0]


def fda(pixels: Pixels, step: PlannedStep) -> Levels:
    """As the paper has it: amplitudes around the middle of the shifted spectrum are exchanged."""
    other = stretched(pixels, step)
    height, width = pixels.shape[:2]
    reach = int(step.fields["beta"] * min(height, width))
    result = np.empty(pixels.shape)
    for channel in range(3):
        own, its = (np.fft.fft2(levels[..., channel].astype(np.float64)) for levels in (pixels, other))
        amplitude, wanted = (np.fft.fftshift(np.abs(spectrum)) for spectrum in (own, its))
        middle = height // 2, width // 2
        part = np.s_[max(middle[0] - reach, 0) : middle[0] + reach + 1, max(middle[1] - reach, 0) : middle[1] + reach + 1]
        amplitude[part] = wanted[part]
        result[..., channel] = np.fft.ifft2(np.fft.ifftshift(amplitude) * np.exp(1j * np.angle(own))).real
    return np.clip(result, 0, 255)


def histogram_matching(pixels: Pixels, step: PlannedStep) -> Levels:
    other = np.rint(stretched(pixels, step)).astype(np.uint8)
    matched = match_histograms(pixels, other, channel_axis=-1)
    return pixels + (matched - pixels.astype(np.float64)) * step.fields["strength"]


def pixel_distribution_adaptation(pixels: Pixels, step: PlannedStep) -> Levels:
    own, its = (levels.reshape(-1, 3) / 255 for levels in (pixels, stretched(pixels, step)))
    spread, wanted = (np.cov(colours.T, bias=True).reshape(3, 3) + 1e-6 * np.eye(3) for colours in (own, its))
    if step.fields["method"] == "standard":
        moved = (own - own.mean(axis=0)) * np.sqrt(np.diag(wanted) / np.diag(spread)) + its.mean(axis=0)
    else:
        root = scipy.linalg.sqrtm(spread)
        back = np.linalg.inv(root)
        moved = (own - own.mean(axis=0)) @ (back @ scipy.linalg.sqrtm(root @ wanted @ root) @ back).real.T + its.mean(
            axis=0
        )
    strength = step.fields["strength"]
    return np.clip(255 * ((1 - strength) * own + strength * moved), 0, 255).reshape(pixels.shape)


def grid_shuffle(pixels: Pixels, step: PlannedStep) -> Levels:
    cells = step.fields["cells"]
    rows, columns = (side // cells for side in pixels.shape[:2])
    order = sorted(range(cells**2), key=lambda cell: uniform(cell, 0, step))
    result = pixels.astype(np.float64)
    for place, cell in enumerate(order):
        (top, left), (y, x) = ((which // cells * rows, which % cells * columns) for which in (place, cell))
        result[top : top + rows, left : left + columns] = pixels[y : y + rows, x : x + columns]
    return result


REFERENCES: dict[str, Reference] = {
    "alpha_blend": alpha_blend,
    "copy_paste": copy_paste,
    "cutmix": cutmix,
    "fda": fda,
    "grid_shuffle": grid_shuffle,
    "histogram_matching": histogram_matching,
    "mixup": mixup,
    "mosaic": mosaic,
    "overlay": overlay,
    "patchmix": patchmix,
    "pixel_distribution_adaptation": pixel_distribution_adaptation,
    "transplantation": transplantation,
}
