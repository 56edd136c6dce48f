"""What operations that count levels or choose colours mean; see `references`."""

from __future__ import annotations

import colorsys

import numpy as np
import PIL.Image
import PIL.ImageOps
import scipy.ndimage
from numpy.typing import NDArray
from skimage.color import hed_from_rgb, rgb_from_hed
from skimage.filters import threshold_otsu

from kernels.plan import PlannedStep
from tests.helpers.references import Levels, Pixels, Reference, grey, limited
from tests.helpers.references_light import centres
from tests.helpers.references_noise import all_fractions


def whole_grey(pixels: Pixels) -> Pixels:
    """The grey picture in whole levels, halves rounded up."""
    thousandths = pixels.astype(int) @ np.array([299, 587, 114])
    return ((thousandths + 500) // 1000).astype(np.uint8)


def with_grey(pixels: Pixels, changed: Levels) -> Levels:
    """The picture with another grey, its colours kept."""
    return limited(pixels + (changed - grey(pixels))[..., None])


def black_and_white(white: NDArray[np.bool_]) -> Levels:
    return np.repeat(np.where(white, 255.0, 0.0)[..., None], 3, axis=-1)


# ------------------------------------------------------------------------------------------------ histograms
def equalized(plane: Pixels) -> Levels:
    return np.asarray(PIL.ImageOps.equalize(PIL.Image.fromarray(plane))).astype(np.float64)


def equalize(pixels: Pixels, step: PlannedStep) -> Levels:
    if step.fields["of"] == "grey":
        return with_grey(pixels, equalized(whole_grey(pixels)))
    return np.stack([equalized(np.ascontiguousarray(pixels[..., channel])) for channel in range(3)], axis=-1)


def adaptively_equalized(plane: Pixels, clip: float, grid: int) -> Levels:
    """CLAHE by Zuiderveld, with the choices of OpenCV: where tiles begin, what is left over, how tables are rounded."""
    height, width = plane.shape
    fits = height % grid == 0 and width % grid == 0
    more = [0 if fits else grid - side % grid for side in (height, width)]
    padded = np.pad(plane, [(0, extra) for extra in more], mode="reflect")
    tall, wide = padded.shape[0] // grid, padded.shape[1] // grid
    most = max(int(clip * tall * wide / 256), 1)
    tables = np.empty((grid, grid, 256))
    for row, column in np.ndindex(grid, grid):
        tile = padded[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        counts = np.bincount(tile.ravel(), minlength=256)
        above = int(np.maximum(counts - most, 0).sum())
        counts = np.minimum(counts, most) + above // 256
        left = above % 256
        if left:
            stride = max(256 // left, 1)
            counts[np.arange(0, 256, stride)[:left]] += 1
        tables[row, column] = np.rint(np.cumsum(counts) * np.float32(255 / (tall * wide)))
    result = np.empty(plane.shape)
    for y, x in np.ndindex(plane.shape):
        down, across = np.float32(y) / np.float32(tall) - 0.5, np.float32(x) / np.float32(wide) - 0.5
        top, left = int(np.floor(down)), int(np.floor(across))
        below, right = down - top, across - left
        rows = [min(max(each, 0), grid - 1) for each in (top, top + 1)]
        columns = [min(max(each, 0), grid - 1) for each in (left, left + 1)]
        upper = tables[rows[0], columns, plane[y, x]] @ (1 - right, right)
        lower = tables[rows[1], columns, plane[y, x]] @ (1 - right, right)
        result[y, x] = upper * (1 - below) + lower * below
    return limited(result)


def clahe(pixels: Pixels, step: PlannedStep) -> Levels:
    clip, grid = step.fields["clip"], step.fields["grid"]
    if step.fields["of"] == "grey":
        return with_grey(pixels, adaptively_equalized(whole_grey(pixels), clip, grid))
    planes = [adaptively_equalized(pixels[..., channel], clip, grid) for channel in range(3)]
    return np.stack(planes, axis=-1)


def lookup_table(pixels: Pixels, step: PlannedStep) -> Levels:
    tables = step.fields["table"] * 3
    result = np.empty(pixels.shape)
    for place in np.ndindex(pixels.shape):
        values = tables[place[2]]
        at = int(pixels[place]) / 255 * (len(values) - 1)
        left = min(int(at), len(values) - 2)
        result[place] = 255 * (values[left] + (at - left) * (values[left + 1] - values[left]))
    return result


# ------------------------------------------------------------------------------------------------ black and white
def otsu_threshold(pixels: Pixels, step: PlannedStep) -> Levels:
    own = whole_grey(pixels)
    # scikit-image answers with the level itself for an even picture
    level = threshold_otsu(own) if len(np.unique(own)) > 1 else 0
    return black_and_white(own > level)


def adaptive_threshold(pixels: Pixels, step: PlannedStep) -> Levels:
    own = whole_grey(pixels).astype(np.float64)
    size = step.fields["size"] // 2 * 2 + 1
    if step.fields["mean"] == "box":
        around = scipy.ndimage.uniform_filter(own, size, mode="reflect")
    else:
        around = scipy.ndimage.gaussian_filter(own, size / 6, mode="reflect")
    # what is nearer than rounding counts as not below
    return black_and_white(own >= around - 255 * step.fields["offset"] - 0.0005)


# ------------------------------------------------------------------------------------------------ colours
def kmeans_color_quantize(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    rows, columns = min(height, 64), min(width, 64)
    sample = [
        tuple(int(value) for value in pixels[row * height // rows, column * width // columns])
        for row in range(rows)
        for column in range(columns)
    ]

    def apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
        return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))

    def nearest(colour: tuple[int, ...], chosen: list[tuple[int, ...]]) -> int:
        return min(range(len(chosen)), key=lambda number: apart(colour, chosen[number]))

    chosen = [min(sample, key=lambda colour: apart(colour, (0, 0, 0)))]
    away = [apart(colour, chosen[0]) for colour in sample]
    while len(chosen) < step.fields["colors"] and max(away) > 0:
        chosen.append(sample[int(np.argmax(away))])
        away = [min(old, apart(colour, chosen[-1])) for old, colour in zip(away, sample, strict=True)]
    for _ in range(10):
        groups: list[list[tuple[int, ...]]] = [[] for _ in chosen]
        for colour in sample:
            groups[nearest(colour, chosen)].append(colour)
        for number, group in enumerate(groups):
            if group:
                chosen[number] = tuple(int(np.floor(mean + 0.5)) for mean in np.mean(group, axis=0))
    result = np.empty(pixels.shape)
    for place in np.ndindex(pixels.shape[:2]):
        result[place] = chosen[nearest(tuple(int(value) for value in pixels[place]), chosen)]
    return result


def photometric_distort(pixels: Pixels, step: PlannedStep) -> Levels:
    fields = step.fields
    levels = limited(pixels + 255 * fields["brightness"])
    if fields["contrast_place"] == "before":
        levels = limited(levels * fields["contrast"])
    turned = np.empty(pixels.shape)
    for place in np.ndindex(pixels.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(levels[place] / 255))
        turned[place] = colorsys.hsv_to_rgb((h + fields["hue"]) % 1.0, min(s * fields["saturation"], 1.0), v)
    levels = turned * 255
    if fields["contrast_place"] == "after":
        levels = limited(levels * fields["contrast"])
    return levels[..., ["rgb".index(name) for name in fields["order"]]]


def he_stain(pixels: Pixels, step: PlannedStep) -> Levels:
    """By scikit-image's colours of stains; its logarithms are in units of a millionth's."""
    unit = -np.log(1e-6)
    visible = np.maximum(pixels, 1) / 255
    # as rgb2hed and hed2rgb, but that amounts below 0 are kept, so that untouched pixels stay as they are
    stains = (np.log(visible) / np.log(1e-6)) @ hed_from_rgb
    for channel, name in enumerate(("haematoxylin", "eosin")):
        stains[..., channel] = stains[..., channel] * step.fields[name] + step.fields[f"{name}_shift"] / unit
    stained = np.exp(-(stains @ rgb_from_hed) * unit)
    return limited(np.where(pixels == 0, 0, 255 * stained))


# ------------------------------------------------------------------------------------------------ light, dots, noise
def corner_illumination(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    x, y = centres(pixels)
    across = x / width if "right" in step.fields["corner"] else 1 - x / width
    down = y / height if "bottom" in step.fields["corner"] else 1 - y / height
    return limited(pixels + 255 * step.fields["gain"] * ((across + down) / 2)[..., None])


def halftone(pixels: Pixels, step: PlannedStep) -> Levels:
    size, coloured = step.fields["size"], step.fields["ink"] == "color"
    x, y = centres(pixels)
    result = np.empty(pixels.shape)
    for channel in range(3):
        turned = np.exp(1j * np.radians(step.fields["degrees"] + 30 * channel * coloured)) * (x + 1j * y) / size
        screen = 0.5 + 0.25 * (np.cos(2 * np.pi * turned.real) + np.cos(2 * np.pi * turned.imag))
        shade = pixels[..., channel] / 255 if coloured else grey(pixels) / 255
        result[..., channel] = 255 * ((shade - screen) * size / 2 + 0.5)
    return limited(result)


def multiplicative_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    numbers = all_fractions(pixels, step)
    if not step.fields["per_channel"]:
        numbers = np.repeat(numbers[..., :1], 3, axis=-1)
    return limited(pixels * (1 + step.fields["amplitude"] * (2 * numbers - 1)))


def total_dropout(pixels: Pixels, step: PlannedStep) -> Levels:
    return np.full(pixels.shape, 255.0) * step.fields["color"]


REFERENCES: dict[str, Reference] = {
    "adaptive_threshold": adaptive_threshold,
    "clahe": clahe,
    "corner_illumination": corner_illumination,
    "equalize": equalize,
    "halftone": halftone,
    "he_stain": he_stain,
    "kmeans_color_quantize": kmeans_color_quantize,
    "lookup_table": lookup_table,
    "multiplicative_noise": multiplicative_noise,
    "otsu_threshold": otsu_threshold,
    "photometric_distort": photometric_distort,
    "total_dropout": total_dropout,
}

TOLERANCES = {"clahe": (1.02, 1.0)}
"""OpenCV rounds its tables and the new grey to whole levels, halves in float32 to either side, before colours are added."""
