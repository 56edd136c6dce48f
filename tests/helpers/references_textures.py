"""What operations with random fields, flares and patches mean; see `references`."""

from __future__ import annotations

import colorsys
import itertools
import math

import numpy as np
import scipy.ndimage
import scipy.special
from numpy.typing import NDArray
from skimage.color import rgb2lab

from kernels.plan import PlannedStep
from tests.helpers.references import (
    Levels,
    Pixels,
    Reference,
    about_own_grey,
    by_channel,
    edge_map,
    grey,
    limited,
)
from tests.helpers.references_filters import mean_shift_blur
from tests.helpers.references_light import centres
from tests.helpers.references_noise import all_fractions, cell, word
from tests.helpers.references_tables import adaptive_threshold

Seed = tuple[int, int]


def fraction(number: int, channel: int, seed: Seed) -> float:
    return ((word(number, channel, seed) >> 9) + 0.5) / 2**23


# ------------------------------------------------------------------------------------------------ random fields
def between(grid: Levels, shape: tuple[int, ...], side: float) -> Levels:
    """A grid's numbers at the corners of cells `side` wide, and smoothly between them."""
    field = np.empty(shape)
    for y, x in np.ndindex(shape):
        down, across = (y + 0.5) / side, (x + 0.5) / side
        row, column = int(down), int(across)
        t, s = ((3 - 2 * share) * share**2 for share in (down - row, across - column))
        upper = grid[row, column] * (1 - s) + grid[row, column + 1] * s
        lower = grid[row + 1, column] * (1 - s) + grid[row + 1, column + 1] * s
        field[y, x] = upper * (1 - t) + lower * t
    return field


def to_ends(field: Levels) -> Levels:
    span = field.max() - field.min()
    return (field - field.min()) / span if span > 0 else np.full_like(field, 0.5)


def plasma(pixels: Pixels, step: PlannedStep) -> Levels:
    shape, total = pixels.shape[:2], np.zeros(pixels.shape[:2])
    for octave in range(8):
        seed, side = (step.noise_seed[0], step.noise_seed[1] ^ octave), max(shape) / 2 ** (octave + 1)
        rows, columns = (math.ceil(length / side) + 1 for length in shape)
        grid = np.array([[fraction(cell(x, y), 0, seed) for x in range(columns)] for y in range(rows)])
        total += step.fields["roughness"] ** octave * between(grid, shape, side)
    return to_ends(total)[..., None]


def plasma_brightness(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels + 255 * step.fields["intensity"] * (plasma(pixels, step) - 0.5))


def plasma_contrast(pixels: Pixels, step: PlannedStep) -> Levels:
    clouds = plasma(pixels, step)
    factor = step.fields["most"] * clouds + step.fields["least"] * (1 - clouds)
    return limited((pixels - 127.5) * factor + 127.5)


def plasma_shadow(pixels: Pixels, step: PlannedStep) -> Levels:
    edge = 1.05 * step.fields["quantity"]
    shade = np.interp(plasma(pixels, step), (edge - 0.05, edge), (1, 0))
    return pixels * (1 - step.fields["intensity"] * shade)


def simplex(shape: tuple[int, ...], seed: Seed, cells: int) -> Levels:
    """Gustavson's two-dimensional noise, a pixel at a time."""
    skew, unskew, field = (math.sqrt(3) - 1) / 2, (3 - math.sqrt(3)) / 6, np.empty(shape)
    for row, column in np.ndindex(shape):
        x, y = ((place + 0.5) * cells / max(shape) for place in (column, row))
        i, j = (math.floor(place + (x + y) * skew) for place in (x, y))
        x0, y0 = x - (i - (i + j) * unskew), y - (j - (i + j) * unskew)
        total = 0.0
        for number, (right, down) in enumerate(((0, 0), (1, 0) if x0 > y0 else (0, 1), (1, 1))):
            dx, dy = x0 - right + number * unskew, y0 - down + number * unskew
            turn = 2 * math.pi * fraction(cell(i + right, j + down), 0, seed)
            total += max(0.0, 0.5 - dx * dx - dy * dy) ** 4 * (math.cos(turn) * dx + math.sin(turn) * dy)
        field[row, column] = 99 * total
    return np.clip(field, -1, 1)


def frequencies(shape: tuple[int, ...], seed: Seed, exponent: float) -> Levels:
    """The sum of all waves on a grid of 32 x 32, one after the other."""
    y, x = np.mgrid[0:32, 0:32]
    grid = np.zeros((32, 32))
    for down, right in itertools.product(range(-16, 16), repeat=2):
        if down or right:
            phase = 2 * np.pi * fraction(cell(right % 32, down % 32), 0, seed)
            grid += math.hypot(down, right) ** exponent * np.cos(2 * np.pi * (down * y + right * x) / 32 + phase)
    return to_ends(between(grid, shape, max(shape) / 31))


def with_branch(pixels: Pixels, step: PlannedStep, field: Levels) -> Levels:
    share = 1 / (1 + np.exp(-step.fields["gain"] * field[..., None]))
    match step.fields["form"]:
        case "blur":
            sigma = min(pixels.shape[:2]) / 100
            other = by_channel(pixels, lambda plane: scipy.ndimage.gaussian_filter(plane, sigma, mode="reflect"))
        case "edges":
            other = edge_map(pixels, step)
        case "grey":
            other = np.repeat(grey(pixels)[..., None], 3, axis=-1)
        case _:
            other = 255.0 - pixels
    return (1 - share) * pixels + share * other


def blend_alpha_simplex_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    return with_branch(pixels, step, simplex(pixels.shape[:2], step.noise_seed, step.fields["cells"]))


def blend_alpha_frequency_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    noise = frequencies(pixels.shape[:2], step.noise_seed, step.fields["exponent"])
    return with_branch(pixels, step, noise - 0.5)


def beta_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    numbers = scipy.special.betaincinv(step.fields["alpha"], step.fields["beta"], all_fractions(pixels, step))
    return limited(pixels + 255 * step.fields["scale"] * (2 * numbers - 1))


# ------------------------------------------------------------------------------------------------ flares
def disc(pixels: Pixels, middle: tuple[float, float], reach: float) -> Levels:
    x, y = centres(pixels)
    return np.clip(reach + 0.5 - np.hypot(x - middle[0], y - middle[1]), 0, 1)[..., None]


def sun_flare(pixels: Pixels, step: PlannedStep) -> Levels:
    (height, width), fields, (x, y) = pixels.shape[:2], step.fields, centres(pixels)
    sun, far = (fields["across"] * width, fields["down"] * height), fields["radius"] * min(pixels.shape[:2])
    colour, angle = 255 * np.array(fields["color"]), math.radians(fields["degrees"])
    share = fields["intensity"] * np.maximum(0, 1 - np.hypot(x - sun[0], y - sun[1]) / far)[..., None] ** 2
    result = (1 - share) * pixels + share * colour
    for number in range(fields["circles"]):
        place, size, strength = (fraction(number, channel, step.noise_seed) for channel in range(3))
        away = place * max(height, width)
        middle = (sun[0] + away * math.cos(angle), sun[1] - away * math.sin(angle))
        share = fields["intensity"] * (0.05 + 0.2 * strength) * disc(pixels, middle, (0.03 + 0.17 * size) * far)
        result = (1 - share) * result + share * colour
    return result


def lens_flare(pixels: Pixels, step: PlannedStep) -> Levels:
    (height, width), fields, (x, y) = pixels.shape[:2], step.fields, centres(pixels)
    lamp, shorter = np.array([fields["across"] * width, fields["down"] * height]), min(height, width)
    spot = 1 / (1 + (np.hypot(x - lamp[0], y - lamp[1]) / (0.06 * shorter)) ** 2)
    line = 1 / (1 + ((y - lamp[1]) / (0.01 * shorter)) ** 2 + ((x - lamp[0]) / (0.5 * width)) ** 2)
    lights = [pixels / 255, fields["intensity"] * spot[..., None], fields["intensity"] * fields["streak"] * line[..., None]]
    for number in range(fields["ghosts"]):
        place, size, hue = (fraction(number, channel, step.noise_seed) for channel in range(3))
        middle = lamp + (0.4 + 1.8 * place) * (np.array([width, height]) / 2 - lamp)
        colour = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.arange(3) / 3))
        ghost = disc(pixels, (middle[0], middle[1]), (0.02 + 0.13 * size) * shorter)
        lights.append(0.4 * fields["intensity"] * colour * ghost)
    dark = np.ones(pixels.shape)
    for light in lights:
        dark *= 1 - light
    return 255 * (1 - dark)


# ------------------------------------------------------------------------------------------------ colours
def color_space_convert(pixels: Pixels, step: PlannedStep) -> Levels:
    space, result = step.fields["space"], np.empty(pixels.shape)
    if space == "lab":
        return limited(255 * (rgb2lab(pixels) + np.array([0, 128, 128])) / [100, 255, 255])
    for place in np.ndindex(pixels.shape[:2]):
        r, g, b = pixels[place] / 255
        luma = 0.299 * r + 0.587 * g + 0.114 * b
        match space:
            case "hsv":
                result[place] = colorsys.rgb_to_hsv(r, g, b)
            case "hls":
                result[place] = colorsys.rgb_to_hls(r, g, b)
            case "yuv":
                result[place] = luma, 0.492 * (b - luma) + 0.5, 0.877 * (r - luma) + 0.5
            case "ycrcb":
                result[place] = luma, 0.713 * (r - luma) + 0.5, 0.564 * (b - luma) + 0.5
            case _:
                to_xyz = [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
                result[place] = np.array(to_xyz) @ (r, g, b)
    return limited(255 * result)


# ------------------------------------------------------------------------------------------------ patches
def painted(pixels: Pixels, owner: NDArray[np.int64], step: PlannedStep) -> Levels:
    result = pixels.astype(np.float64)
    for part in np.unique(owner):
        if fraction(int(part), 3, step.noise_seed) < step.fields["replace"]:
            result[owner == part] = pixels[owner == part].mean(axis=0)
    return result


def superpixels(pixels: Pixels, step: PlannedStep) -> Levels:
    """SLIC, a pixel at a time; distances are worked out in the same order, so that ties are the same."""
    height, width = pixels.shape[:2]
    apart = max(math.sqrt(height * width / step.fields["segments"]), 1.0)
    rows, columns = (max(int(side / apart + 0.5), 1) for side in (height, width))
    places = list(np.ndindex(height, width))
    home = {(y, x): (y * rows // height, x * columns // width) for y, x in places}
    owner = np.array([[home[y, x][0] * columns + home[y, x][1] for x in range(width)] for y in range(height)])
    colours = pixels.astype(np.float64)
    for _ in range(5):
        sums = np.zeros((rows * columns, 6))
        for y, x in places:
            sums[owner[y, x]] += [y, x, *colours[y, x], 1]
        means = sums[:, :5] / np.maximum(sums[:, 5:], 1)
        for y, x in places:
            best, (row, column) = math.inf, home[y, x]
            for down, right in itertools.product((-1, 0, 1), repeat=2):
                if 0 <= row + down < rows and 0 <= column + right < columns:
                    part = (row + down) * columns + column + right
                    mean_y, mean_x, *colour = means[part].tolist()
                    away = (y - mean_y) ** 2 + (x - mean_x) ** 2
                    other = sum((colours[y, x, channel] - colour[channel]) ** 2 for channel in range(3))
                    distance = away / (apart * apart) + other * (1 / 1600)
                    if distance < best:
                        best, owner[y, x] = distance, part
    return painted(pixels, owner, step)


def voronoi(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    side = min(height, width) / min(step.fields["cells"], height, width)
    rows, columns = (math.ceil(length / side - 1e-9) for length in (height, width))
    points = [
        ((column + fraction(cell(column, row), 0, step.noise_seed)) * side,
         (row + fraction(cell(column, row), 1, step.noise_seed)) * side)
        for row in range(rows)
        for column in range(columns)
    ]  # fmt: skip
    x, y = centres(pixels)
    away = np.stack([(x - across) ** 2 + (y - down) ** 2 for across, down in points])
    return painted(pixels, away.argmin(axis=0), step)


def cartoon(pixels: Pixels, step: PlannedStep) -> Levels:
    even = mean_shift_blur(pixels, step)
    fields = {"size": step.fields["outline"], "offset": step.fields["offset"], "mean": "box"}
    lines = adaptive_threshold(pixels, step._replace(fields=fields))
    return np.where(lines > 0, about_own_grey(even, step.fields["saturation"]), 0)


REFERENCES: dict[str, Reference] = {
    "beta_noise": beta_noise,
    "blend_alpha_frequency_noise": blend_alpha_frequency_noise,
    "blend_alpha_simplex_noise": blend_alpha_simplex_noise,
    "cartoon": cartoon,
    "color_space_convert": color_space_convert,
    "lens_flare": lens_flare,
    "plasma_brightness": plasma_brightness,
    "plasma_contrast": plasma_contrast,
    "plasma_shadow": plasma_shadow,
    "sun_flare": sun_flare,
    "superpixels": superpixels,
    "voronoi": voronoi,
}

TOLERANCES = {"cartoon": (0.01, 0.995), "color_space_convert": (0.1, 1.0)}
"""Means of colours that end in a half are rounded to either level. Matrices of Lab have four digits, and other ones."""
