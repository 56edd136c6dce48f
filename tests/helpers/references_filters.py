"""What further operations on neighbourhoods mean; see `references`. Windows are walked through one place at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy.ndimage
import scipy.signal
import scipy.special

from kernels.plan import PlannedStep
from tests.helpers.references import Levels, Pixels, Reference, by_channel, limited
from tests.helpers.references_noise import word
from tests.helpers.references_tables import whole_grey


def odd(size: int) -> int:
    return size if size % 2 else size + 1


def correlated(pixels: Pixels, kernel: Levels) -> Levels:
    (down, right), weights = (side // 2 for side in kernel.shape), np.asarray(kernel, np.float64)

    def summed(plane: Levels) -> Levels:
        padded = np.pad(plane, ((down, down), (right, right)), mode="symmetric")
        return scipy.signal.correlate(padded, weights, mode="valid")

    return by_channel(pixels, summed)


def convolve(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(correlated(pixels, np.array(step.fields["kernel"])))


# ------------------------------------------------------------------------------------------------ blurs
def motion_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    size = odd(step.fields["size"])
    reach, angle, share = size // 2, math.radians(step.fields["degrees"]), (step.fields["direction"] + 1) / 2
    line = np.linspace(share, 1 - share, size)
    kernel = np.zeros((size, size))
    for row, column in np.ndindex(size, size):
        x, y = column - reach, reach - row
        along, off = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        weight = np.interp(along, np.arange(-reach - 1, reach + 2), [0.0, *line, 0.0])
        kernel[row, column] = weight * max(0.0, 1 - abs(off))
    return correlated(pixels, kernel / kernel.sum())


def defocus_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    radius, softness = step.fields["radius"], step.fields["softness"]
    reach = math.ceil(radius + softness)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for row, column in np.ndindex(kernel.shape):
        inside = radius - math.dist((row, column), (reach, reach))
        kernel[row, column] = np.interp(inside, (-softness / 2, softness / 2), (0, 1))
    return correlated(pixels, kernel / kernel.sum())


def advanced_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    size, fields = odd(step.fields["size"]), step.fields
    kernel = np.zeros((size, size))
    turn = np.exp(-1j * math.radians(fields["degrees"]))
    for row, column in np.ndindex(size, size):
        # the axes turned one way are the places turned the other way; y points up
        place = complex(column - size // 2, size // 2 - row) * turn
        distance = (place.real / fields["sigma_x"]) ** 2 + (place.imag / fields["sigma_y"]) ** 2
        fraction = ((word(row * size + column, 0, step.noise_seed) >> 9) + 0.5) / 2**23
        factor = 1 + fields["noise"] * (2 * fraction - 1)
        kernel[row, column] = factor * math.exp(-min(distance ** fields["beta"], 1000) / 2)
    return correlated(pixels, kernel / kernel.sum())


def ringing_overshoot(pixels: Pixels, step: PlannedStep) -> Levels:
    size, cutoff = odd(step.fields["size"]), step.fields["cutoff"]
    kernel = np.zeros((size, size))
    for row, column in np.ndindex(size, size):
        radius = math.dist((row, column), (size // 2, size // 2))
        limit = cutoff**2 / (4 * math.pi)
        kernel[row, column] = cutoff * scipy.special.j1(cutoff * radius) / (2 * math.pi * radius) if radius else limit
    return limited(correlated(pixels, kernel / kernel.sum()))


def zoom_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    factors = [1.0]
    while factors[-1] + step.fields["step"] <= step.fields["factor"] + 1e-7:
        factors.append(factors[-1] + step.fields["step"])
    copies = []
    for factor in factors:
        copy = pixels.astype(np.float64)
        for axis in (0, 1):
            side = pixels.shape[axis]
            place = (np.arange(side) + 0.5 - side / 2) / factor + side / 2 - 0.5
            copy = np.apply_along_axis(lambda line, place=place: np.interp(place, np.arange(len(line)), line), axis, copy)
        copies.append(copy)
    return np.mean(copies, axis=0)


def glass_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    sigma, delta = step.fields["sigma"], step.fields["delta"]
    blurred = by_channel(pixels, lambda plane: scipy.ndimage.gaussian_filter(plane, sigma, mode="reflect"))
    for turn in range(step.fields["rounds"]):
        seed = (step.noise_seed[0], step.noise_seed[1] ^ turn)

        def shift(x: int, y: int, channel: int, seed: tuple[int, int] = seed) -> int:
            fraction = np.float32(((word(y * width + x, channel, seed) >> 9) + 0.5) / 2**23)
            return int(fraction * np.float32(2 * delta + 1)) - delta

        shown = np.empty_like(blurred)
        for y, x in np.ndindex(height, width):
            row = min(max(y + shift(x, y, 0), 0), height - 1)
            column = min(max(x + shift(x, y, 1), 0), width - 1)
            shown[y, x] = blurred[row, column]
        blurred = shown
    return by_channel(blurred, lambda plane: scipy.ndimage.gaussian_filter(plane, sigma, mode="reflect"))


def bilateral_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    reach, levels = odd(step.fields["size"]) // 2, pixels.astype(np.float64)
    padded = np.pad(levels, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    total, weights = np.zeros(pixels.shape), np.zeros((*pixels.shape[:2], 1))
    for down, right in itertools.product(range(-reach, reach + 1), repeat=2):
        if math.hypot(down, right) > reach:
            continue
        there = padded[reach + down :, reach + right :][: pixels.shape[0], : pixels.shape[1]]
        colour = np.abs(there - levels).sum(axis=-1, keepdims=True) / 255 / step.fields["sigma_color"]
        weight = np.exp(-(colour**2) / 2 - (down**2 + right**2) / step.fields["sigma_space"] ** 2 / 2)
        total += weight * there
        weights += weight
    return total / weights


def mean_shift_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    reach, most = step.fields["reach"], round((255 * step.fields["color"]) ** 2)
    levels = pixels.astype(np.int64)
    height, width = pixels.shape[:2]
    result = np.empty(pixels.shape)
    for place in np.ndindex(height, width):
        (y, x), colour = place, levels[place]
        for _ in range(3):
            rows = slice(max(y - reach, 0), min(y + reach, height - 1) + 1)
            columns = slice(max(x - reach, 0), min(x + reach, width - 1) + 1)
            there = levels[rows, columns]
            near = ((there - colour) ** 2).sum(axis=-1) <= most
            if not near.any():
                break
            down, right = np.nonzero(near)
            moved = (int(np.rint(down.mean() + rows.start)), int(np.rint(right.mean() + columns.start)))
            mean = np.rint(there[near].mean(axis=0)).astype(np.int64)
            change = abs(moved[0] - y) + abs(moved[1] - x) + ((mean - colour) ** 2).sum()
            still = moved == (y, x) or change <= 1
            (y, x), colour = moved, mean
            if still:
                break
        result[place] = colour
    return result


# ------------------------------------------------------------------------------------------------ sharper
def sharpness(pixels: Pixels, step: PlannedStep) -> Levels:
    kernel = np.ones((3, 3))
    kernel[1, 1] = 5
    soft, factor = correlated(pixels, kernel / 13), step.fields["factor"]
    result = pixels.astype(np.float64)
    result[1:-1, 1:-1] = (factor * pixels + (1 - factor) * soft)[1:-1, 1:-1]
    return limited(result)


def sharpen(pixels: Pixels, step: PlannedStep) -> Levels:
    alpha = step.fields["alpha"]
    kernel = np.full((3, 3), -1.0)
    kernel[1, 1] = 8 + step.fields["lightness"]
    return limited((1 - alpha) * pixels + alpha * correlated(pixels, kernel))


def emboss(pixels: Pixels, step: PlannedStep) -> Levels:
    alpha, strength = step.fields["alpha"], step.fields["strength"]
    kernel = np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1]]) + strength * np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]])
    return limited((1 - alpha) * pixels + alpha * correlated(pixels, kernel))


def unsharp_mask(pixels: Pixels, step: PlannedStep) -> Levels:
    sigma = step.fields["sigma"]
    lost = pixels - by_channel(pixels, lambda plane: scipy.ndimage.gaussian_filter(plane, sigma, mode="reflect"))
    counts = np.abs(lost) > 255 * step.fields["threshold"]
    return limited(pixels + np.where(counts, step.fields["amount"] * lost, 0))


# ------------------------------------------------------------------------------------------------ edges
def laplacian(pixels: Pixels, step: PlannedStep) -> Levels:
    around = np.ones((3, 3))
    around[1, 1] = 0
    return limited(step.fields["gain"] / 2 * np.abs(correlated(pixels, around / 8) - pixels))


def directed_edge_detect(pixels: Pixels, step: PlannedStep) -> Levels:
    angle, alpha = math.radians(step.fields["degrees"]), step.fields["alpha"]

    def slope(plane: Levels) -> Levels:
        right, down = (scipy.ndimage.sobel(plane, axis=axis, mode="reflect") / 4 for axis in (1, 0))
        return right * math.cos(angle) - down * math.sin(angle)

    return (1 - alpha) * pixels + alpha * limited(by_channel(pixels, slope))


def canny(pixels: Pixels, step: PlannedStep) -> Levels:
    """With the choices of OpenCV: gradients are summed, thresholds whole, the tangent of 22.5 degrees is 13573 / 2^15."""
    own = whole_grey(pixels).astype(np.int64)
    right, down = (np.rint(scipy.ndimage.sobel(own, axis=axis, mode="nearest")).astype(int) for axis in (1, 0))
    steep = np.pad(np.abs(right) + np.abs(down), 1)
    low, high = sorted(math.floor(4 * 255 * step.fields[name]) for name in ("low", "high"))
    ridge = np.zeros(own.shape, dtype=int)
    for y, x in np.ndindex(own.shape):
        here, flat, tall = steep[y + 1, x + 1], abs(right[y, x]) * 13573, abs(down[y, x]) << 15
        if here <= low:
            continue
        if tall < flat:
            is_ridge = here > steep[y + 1, x] and here >= steep[y + 1, x + 2]
        elif tall > flat + (abs(right[y, x]) << 16):
            is_ridge = here > steep[y, x + 1] and here >= steep[y + 2, x + 1]
        else:
            side = -1 if (right[y, x] < 0) != (down[y, x] < 0) else 1
            is_ridge = here > steep[y, x + 1 - side] and here > steep[y + 2, x + 1 + side]
        ridge[y, x] = is_ridge * (2 if here > high else 1)
    parts, _ = scipy.ndimage.label(ridge > 0, np.ones((3, 3)))
    begun = np.unique(parts[ridge == 2])
    return np.repeat(np.where(np.isin(parts, begun) & (ridge > 0), 255.0, 0.0)[..., None], 3, axis=-1)


# ------------------------------------------------------------------------------------------------ morphology
def lowest(levels: Levels, size: int, turned: bool = False) -> Levels:
    origin = (0 if size % 2 or not turned else -1,) * 2 + (0,)
    return scipy.ndimage.minimum_filter(levels, (size, size, 1), mode="reflect", origin=origin)


def highest(levels: Levels, size: int, turned: bool = False) -> Levels:
    return -lowest(-levels, size, turned)


def opened(pixels: Pixels, step: PlannedStep) -> Levels:
    size = step.fields["size"]
    return highest(lowest(pixels.astype(np.float64), size), size, turned=True)


def closed(pixels: Pixels, step: PlannedStep) -> Levels:
    size = step.fields["size"]
    return lowest(highest(pixels.astype(np.float64), size), size, turned=True)


def gradient(pixels: Pixels, step: PlannedStep) -> Levels:
    levels, size = pixels.astype(np.float64), step.fields["size"]
    return highest(levels, size) - lowest(levels, size)


def top_hat(pixels: Pixels, step: PlannedStep) -> Levels:
    return pixels - opened(pixels, step)


def black_hat(pixels: Pixels, step: PlannedStep) -> Levels:
    return closed(pixels, step) - pixels


# ------------------------------------------------------------------------------------------------ coarser
def pixelate(pixels: Pixels, step: PlannedStep) -> Levels:
    size, result = step.fields["size"], np.empty(pixels.shape)
    for top, left in itertools.product(range(0, pixels.shape[0], size), range(0, pixels.shape[1], size)):
        square = (slice(top, top + size), slice(left, left + size))
        result[square] = pixels[square].mean(axis=(0, 1))
    return result


def resized(levels: Levels, side: int, axis: int, way: str) -> Levels:
    """One axis of a picture at another length: each new place is a weighted sum of old ones."""
    old = levels.shape[axis]
    weights = np.zeros((side, old))
    for new in range(side):
        centre = (new + 0.5) * old / side - 0.5
        for place in range(-2, old + 2):
            kept, away = min(max(place, 0), old - 1), abs(place - centre)
            if way == "nearest":
                weights[new, kept] += place == (2 * new + 1) * old // (2 * side)
            elif way == "linear":
                weights[new, kept] += max(0.0, 1 - away)
            elif way == "cubic":
                weights[new, kept] += keys(away)
            elif 0 <= place < old:
                overlap = min(place + 1, (new + 1) * old / side) - max(place, new * old / side)
                weights[new, kept] += max(0.0, overlap) * side / old
    return np.moveaxis(np.tensordot(weights, np.moveaxis(levels, axis, 0), 1), 0, axis)


def keys(away: float) -> float:
    """The cubic by Keys (1981) with OpenCV's a of -0.75."""
    a = -0.75
    if away < 1:
        return (a + 2) * away**3 - (a + 3) * away**2 + 1
    return a * (away**3 - 5 * away**2 + 8 * away - 4) if away < 2 else 0.0


def downscale(pixels: Pixels, step: PlannedStep) -> Levels:
    levels = pixels.astype(np.float64)
    for axis in (0, 1):
        levels = resized(levels, max(1, round(step.fields["factor"] * pixels.shape[axis])), axis, step.fields["down"])
    for axis in (0, 1):
        levels = resized(levels, pixels.shape[axis], axis, step.fields["up"])
    return limited(levels)


REFERENCES: dict[str, Reference] = {
    "advanced_blur": advanced_blur,
    "bilateral_blur": bilateral_blur,
    "black_hat": black_hat,
    "canny": canny,
    "convolve": convolve,
    "defocus_blur": defocus_blur,
    "directed_edge_detect": directed_edge_detect,
    "downscale": downscale,
    "emboss": emboss,
    "glass_blur": glass_blur,
    "laplacian": laplacian,
    "mean_shift_blur": mean_shift_blur,
    "morph_close": closed,
    "morph_gradient": gradient,
    "morph_open": opened,
    "motion_blur": motion_blur,
    "pixelate": pixelate,
    "ringing_overshoot": ringing_overshoot,
    "sharpen": sharpen,
    "sharpness": sharpness,
    "top_hat": top_hat,
    "unsharp_mask": unsharp_mask,
    "zoom_blur": zoom_blur,
}

TOLERANCES = {"mean_shift_blur": (0.01, 0.995)}
"""Means that end in a half are rounded to either side, as the reciprocal they are multiplied by happens to lie."""
