"""What operations that add noise and masks mean; see `references`. Random words are computed one by one, in Python."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from kernels.plan import PlannedStep
from tests.helpers.references import Levels, Pixels, Reference, grey, limited


def word(pixel: int, channel: int, seed: tuple[int, int]) -> int:
    """The 32 random bits of one channel of one pixel."""

    def mixed(x: int) -> int:
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        x = (x ^ x >> 15) * 0x846CA68B % 2**32
        return x ^ x >> 16

    return mixed((mixed((4 * pixel + channel) % 2**32 ^ seed[0]) + seed[1]) % 2**32)


def words(pixels: Pixels, channel: int, step: PlannedStep) -> NDArray[np.int64]:
    height, width = pixels.shape[:2]
    return np.array([[word(y * width + x, channel, step.noise_seed) for x in range(width)] for y in range(height)])


def fractions(pixels: Pixels, channel: int, step: PlannedStep) -> Levels:
    return ((words(pixels, channel, step) >> 9) + 0.5) / 2**23


def normal(counted: int, channel: int, seed: tuple[int, int]) -> float:
    """Box and Muller: 16 bits are the distance from the origin, 16 the angle; the channel says which coordinate."""
    bits = word(counted, channel // 2 * 2, (seed[0] ^ 0x9E3779B9, seed[1]))
    distance = math.sqrt(-2 * math.log(((bits >> 16) + 0.5) / 2**16))
    angle = math.tau * (((bits & 0xFFFF) + 0.5) / 2**16 - 0.125)
    return distance * (math.sin(angle) if channel % 2 else math.cos(angle))


def plane(pixels: Pixels, value: Callable[[int, int], float]) -> Levels:
    """value(x, y) of every pixel."""
    height, width = pixels.shape[:2]
    return np.array([[value(x, y) for x in range(width)] for y in range(height)], dtype=np.float64)


def normals(pixels: Pixels, step: PlannedStep) -> Levels:
    width = pixels.shape[1]

    def channel_of(channel: int) -> Levels:
        return plane(pixels, lambda x, y: normal(y * width + x, channel, step.noise_seed))

    return np.stack([channel_of(channel) for channel in range(3)], axis=-1)


def all_fractions(pixels: Pixels, step: PlannedStep) -> Levels:
    return np.stack([fractions(pixels, channel, step) for channel in range(3)], axis=-1)


def gaussian_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels + 255 * step.fields["sigma"] * normals(pixels, step))


def random_colours(pixels: Pixels, first_channel: int, step: PlannedStep) -> Levels:
    return np.stack([np.floor(fractions(pixels, first_channel + channel, step) * 256) for channel in range(3)], axis=-1)


def impulse_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    hit = fractions(pixels, 0, step) < step.fields["amount"]
    return np.where(hit[..., None], random_colours(pixels, 1, step), pixels)


def salt(pixels: Pixels, step: PlannedStep) -> Levels:
    return np.where((fractions(pixels, 0, step) < step.fields["amount"])[..., None], 255.0, pixels)


def pepper(pixels: Pixels, step: PlannedStep) -> Levels:
    return np.where((fractions(pixels, 0, step) < step.fields["amount"])[..., None], 0.0, pixels)


def salt_and_pepper(pixels: Pixels, step: PlannedStep) -> Levels:
    speck = np.where(fractions(pixels, 1, step) < step.fields["salt"], 255.0, 0.0)
    hit = fractions(pixels, 0, step) < step.fields["amount"]
    return np.where(hit[..., None], speck[..., None], pixels)


def shot_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    photons = pixels / 255 * step.fields["photons"]
    return limited(255 / step.fields["photons"] * (photons + np.sqrt(photons) * normals(pixels, step)))


def speckle_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels * (1 + step.fields["sigma"] * normals(pixels, step)))


def uniform_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels + 255 * step.fields["amplitude"] * (2 * all_fractions(pixels, step) - 1))


def laplace_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    numbers = scipy.stats.laplace(scale=np.sqrt(0.5)).ppf(all_fractions(pixels, step))
    return limited(pixels + 255 * step.fields["sigma"] * numbers)


def iso_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    width = pixels.shape[1]
    grain = step.fields["intensity"] * plane(pixels, lambda x, y: normal(y * width + x, 3, step.noise_seed))
    return limited(pixels + 255 * (grain[..., None] + step.fields["color"] * normals(pixels, step)))


def film_grain(pixels: Pixels, step: PlannedStep) -> Levels:
    size = step.fields["size"]

    def grain(x: int, y: int) -> float:
        left, top = int(x / size), int(y / size)
        numbers, weights = [], []
        for column in (left, left + 1):
            for row in (top, top + 1):
                numbers.append(normal(cell(column, row), 0, step.noise_seed))
                weights.append((1 - abs(x / size - column)) * (1 - abs(y / size - row)))
        return float(np.dot(numbers, weights) / np.linalg.norm(weights))

    own = grey(pixels) / 255
    noise = 4 * own * (1 - own) * step.fields["sigma"] * plane(pixels, grain)
    return limited(pixels + 255 * noise[..., None])


def pixel_dropout(pixels: Pixels, step: PlannedStep) -> Levels:
    chances = all_fractions(pixels, step)
    if not step.fields["per_channel"]:
        chances = chances[..., :1]
    return np.where(chances < step.fields["amount"], 255 * np.array(step.fields["color"]), pixels)


def cell(column: int, row: int) -> int:
    return row * 2**15 + column


def cell_fractions(pixels: Pixels, channel: int, step: PlannedStep) -> Levels:
    """The random number of the cell that each pixel is in."""
    side = max(2, round(min(pixels.shape[:2]) / step.fields["cells"]))
    return plane(pixels, lambda x, y: ((word(cell(x // side, y // side), channel, step.noise_seed) >> 9) + 0.5) / 2**23)


def coarse_salt_and_pepper(pixels: Pixels, step: PlannedStep) -> Levels:
    speck = np.where(cell_fractions(pixels, 1, step) < step.fields["salt"], 255.0, 0.0)
    hit = cell_fractions(pixels, 0, step) < step.fields["amount"]
    return np.where(hit[..., None], speck[..., None], pixels)


# ------------------------------------------------------------------------------------------------ masks
def filling(pixels: Pixels, step: PlannedStep) -> Levels:
    if step.fields["filling"] == "noise":
        return random_colours(pixels, 0, step)
    return np.full(pixels.shape, 255.0) * step.fields["color"]


def coarse_dropout(pixels: Pixels, step: PlannedStep) -> Levels:
    hit = cell_fractions(pixels, 3, step) < step.fields["amount"]
    return np.where(hit[..., None], filling(pixels, step), pixels)


def free(fraction: float, side: int, length: int) -> int:
    return min(int(fraction * (side - length + 1)), side - length)


def random_erasing(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    area = step.fields["scale"] * height * width
    columns, rows = np.sqrt(area * step.fields["ratio"]), np.sqrt(area / step.fields["ratio"])
    if columns > width:
        columns, rows = width, area / width
    if rows > height:
        columns, rows = area / height, height
    columns, rows = round(columns), round(rows)
    left, top = free(step.fields["across"], width, columns), free(step.fields["down"], height, rows)
    result = pixels.astype(np.float64)
    hole = (slice(top, top + rows), slice(left, left + columns))
    result[hole] = filling(pixels, step)[hole]
    return result


def xy_masking(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    columns, rows = round(step.fields["width"] * width), round(step.fields["height"] * height)
    left, top = free(step.fields["across"], width, columns), free(step.fields["down"], height, rows)
    result = pixels.astype(np.float64)
    result[:, left : left + columns] = 255 * np.array(step.fields["color"])
    result[top : top + rows] = 255 * np.array(step.fields["color"])
    return result


def cutout(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    area = step.fields["area"] * height * width
    side = np.sqrt(area)
    rows, columns = (side, side)
    if side > height:
        rows, columns = height, area / height
    if side > width:
        rows, columns = area / width, width
    rows, columns = round(rows), round(columns)
    top, left = free(step.fields["down"], height, rows), free(step.fields["across"], width, columns)
    result = pixels.astype(np.float64)
    hole = (slice(top, top + rows), slice(left, left + columns))
    result[hole] = filling(pixels, step)[hole]
    return result


def grid_mask(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    cell = max(2, round(min(height, width) / step.fields["cells"]))
    square = round(cell * step.fields["share"])
    result = pixels.astype(np.float64)
    for y in range(height):
        for x in range(width):
            row = (y + int(step.fields["down"] * cell)) % cell
            column = (x + int(step.fields["across"] * cell)) % cell
            if row < square and column < square:
                result[y, x] = 255 * np.array(step.fields["color"])
    return result


REFERENCES: dict[str, Reference] = {
    "coarse_dropout": coarse_dropout,
    "coarse_salt_and_pepper": coarse_salt_and_pepper,
    "cutout": cutout,
    "film_grain": film_grain,
    "gaussian_noise": gaussian_noise,
    "grid_mask": grid_mask,
    "impulse_noise": impulse_noise,
    "iso_noise": iso_noise,
    "laplace_noise": laplace_noise,
    "pepper": pepper,
    "pixel_dropout": pixel_dropout,
    "random_erasing": random_erasing,
    "salt": salt,
    "salt_and_pepper": salt_and_pepper,
    "shot_noise": shot_noise,
    "speckle_noise": speckle_noise,
    "uniform_noise": uniform_noise,
    "xy_masking": xy_masking,
}
