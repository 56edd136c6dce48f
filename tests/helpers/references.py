"""What each operation means, said once more: slow, obvious and independent of the operations' own code.

A reference takes (H, W, 3) uint8 pixels and the planned step, and gives the levels 0..255 that the result should have,
before they are rounded. Fields are in `step.fields`. `REFERENCES` has one for each operation that moves no pixels;
`references_geometry.REFERENCES` has the others.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.ndimage
import torch
from kornia.filters import spatial_gradient
from numpy.typing import NDArray

from kernels.plan import PlannedStep

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float64]
Reference = Callable[[Pixels, PlannedStep], Levels]

GREY = np.array([0.299, 0.587, 0.114])


def grey(levels: Any) -> Levels:
    return np.asarray(levels, dtype=np.float64) @ GREY


def limited(levels: Any) -> Levels:
    return np.clip(levels, 0, 255)


# ------------------------------------------------------------------------------------------------ colour
def brightness(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels * float(step.fields["factor"]) + 255 * step.fields["offset"])


def contrast(pixels: Pixels, step: PlannedStep) -> Levels:
    return about_the_mean(pixels, step.fields["factor"])


def about_the_mean(levels: Any, factor: float) -> Levels:
    mean = grey(levels).mean()
    return limited(mean + factor * (levels - mean))


def saturation(pixels: Pixels, step: PlannedStep) -> Levels:
    return about_own_grey(pixels, step.fields["factor"])


def about_own_grey(levels: Any, factor: float) -> Levels:
    own = grey(levels)[..., None]
    return limited(own + factor * (levels - own))


def hue(pixels: Pixels, step: PlannedStep) -> Levels:
    return hue_turned(pixels, step.fields["turn"])


def hue_turned(levels: Any, turn: float) -> Levels:
    result = np.empty(levels.shape)
    for place in np.ndindex(levels.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(levels[place] / 255.0))
        result[place] = colorsys.hsv_to_rgb((h + turn) % 1.0, s, v)
    return result * 255


def color_jitter(pixels: Pixels, step: PlannedStep) -> Levels:
    levels = limited(pixels * float(step.fields["brightness"]))
    levels = about_the_mean(levels, step.fields["contrast"])
    levels = about_own_grey(levels, step.fields["saturation"])
    return hue_turned(levels, step.fields["hue"])


def grayscale(pixels: Pixels, step: PlannedStep) -> Levels:
    strength = step.fields["strength"]
    return strength * grey(pixels)[..., None] + (1 - strength) * pixels


def solarize(pixels: Pixels, step: PlannedStep) -> Levels:
    return np.where(pixels / 255 < step.fields["threshold"], pixels, 255.0 - pixels)


def posterize(pixels: Pixels, step: PlannedStep) -> Levels:
    dropped = 8 - step.fields["bits"]
    return (pixels >> dropped << dropped).astype(np.float64)


def gamma(pixels: Pixels, step: PlannedStep) -> Levels:
    return (pixels / 255.0) ** step.fields["exponent"] * 255


def invert(pixels: Pixels, step: PlannedStep) -> Levels:
    return 255.0 - pixels


def channel_swap(pixels: Pixels, step: PlannedStep) -> Levels:
    order = [0, 1, 2]
    first, second = "rgb".index(step.fields["first"]), "rgb".index(step.fields["second"])
    order[first], order[second] = order[second], order[first]
    return pixels[..., order].astype(np.float64)


def channel_dropout(pixels: Pixels, step: PlannedStep) -> Levels:
    result = pixels.astype(np.float64)
    result[..., "rgb".index(step.fields["channel"])] = 255 * step.fields["level"]
    return result


def tint(pixels: Pixels, step: PlannedStep) -> Levels:
    sign = np.full(3, -1.0)
    sign["rgb".index(step.fields["channel"])] = 1.0
    return limited(pixels + 255 * step.fields["amount"] * sign)


# ------------------------------------------------------------------------------------------------ noise
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


def normal(bits: int, channel: int) -> float:
    """Box and Muller: 16 bits are the distance from the origin, 16 the angle; the channel says which coordinate."""
    distance = math.sqrt(-2 * math.log(((bits >> 16) + 0.5) / 2**16))
    angle = math.tau * (((bits & 0xFFFF) + 0.5) / 2**16 - 0.125)
    return distance * (math.sin(angle) if channel % 2 else math.cos(angle))


def normals(pixels: Pixels, channel: int, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    first, second = step.noise_seed
    seed = first ^ 0x9E3779B9, second
    return np.array(
        [[normal(word(y * width + x, channel // 2 * 2, seed), channel) for x in range(width)] for y in range(height)]
    )


def gaussian_noise(pixels: Pixels, step: PlannedStep) -> Levels:
    noise = [normals(pixels, channel, step) for channel in range(3)]
    return limited(pixels + 255 * step.fields["sigma"] * np.stack(noise, axis=-1))


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


# ------------------------------------------------------------------------------------------------ masks
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
    top = min(int(step.fields["down"] * (height - rows + 1)), height - rows)
    left = min(int(step.fields["across"] * (width - columns + 1)), width - columns)
    noise = step.fields["filling"] == "noise"
    filling = random_colours(pixels, 0, step) if noise else np.full(pixels.shape, 255.0) * step.fields["color"]
    result = pixels.astype(np.float64)
    hole = (slice(top, top + rows), slice(left, left + columns))
    result[hole] = filling[hole]
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


# ------------------------------------------------------------------------------------------------ neighbourhoods
def by_channel(pixels: Pixels, filtered: Callable[[Levels], Levels]) -> Levels:
    return np.stack([filtered(pixels[..., channel].astype(np.float64)) for channel in range(3)], axis=-1)


def gaussian_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    return by_channel(pixels, lambda plane: scipy.ndimage.gaussian_filter(plane, step.fields["sigma"], mode="reflect"))


def box_blur(pixels: Pixels, step: PlannedStep) -> Levels:
    return by_channel(pixels, lambda plane: scipy.ndimage.uniform_filter(plane, step.fields["size"], mode="reflect"))


def windows(pixels: Pixels, step: PlannedStep, chosen: Callable[[Levels], Any]) -> Levels:
    """`chosen` of the sorted values of each pixel's window, channel by channel."""
    size = step.fields["size"]
    around = (size // 2, size - 1 - size // 2)
    padded = np.pad(pixels, (around, around, (0, 0)), mode="symmetric")
    result = np.empty(pixels.shape)
    for y, x in np.ndindex(pixels.shape[:2]):
        values = np.sort(padded[y : y + size, x : x + size].reshape(-1, 3), axis=0)
        result[y, x] = chosen(values)
    return result


def min_filter(pixels: Pixels, step: PlannedStep) -> Levels:
    return windows(pixels, step, lambda values: values[0])


def max_filter(pixels: Pixels, step: PlannedStep) -> Levels:
    return windows(pixels, step, lambda values: values[-1])


def percentile_filter(pixels: Pixels, step: PlannedStep) -> Levels:
    place = int(step.fields["size"] ** 2 * step.fields["percentile"] / 100)
    return windows(pixels, step, lambda values: values[min(place, len(values) - 1)])


def edge_map(pixels: Pixels, step: PlannedStep) -> Levels:
    plane = torch.from_numpy(grey(pixels))[None, None]
    across, down = spatial_gradient(plane, mode="sobel", normalized=False)[0, 0].numpy()
    magnitude = np.hypot(across, down)
    steepest = magnitude.max()
    # no level of any channel differs from its neighbour: what is left is the convolution's own rounding
    scaled = magnitude / steepest * 255 if steepest > 1e-6 else np.zeros_like(magnitude)
    return np.repeat(scaled[..., None], 3, axis=-1)


def edge_enhance(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels + step.fields["strength"] * edge_map(pixels, step))


REFERENCES: dict[str, Reference] = {
    "box_blur": box_blur,
    "brightness": brightness,
    "channel_dropout": channel_dropout,
    "channel_swap": channel_swap,
    "color_jitter": color_jitter,
    "contrast": contrast,
    "cutout": cutout,
    "edge_enhance": edge_enhance,
    "edge_map": edge_map,
    "gamma": gamma,
    "gaussian_blur": gaussian_blur,
    "gaussian_noise": gaussian_noise,
    "grayscale": grayscale,
    "grid_mask": grid_mask,
    "hue": hue,
    "impulse_noise": impulse_noise,
    "invert": invert,
    "max_filter": max_filter,
    "min_filter": min_filter,
    "pepper": pepper,
    "percentile_filter": percentile_filter,
    "posterize": posterize,
    "salt": salt,
    "salt_and_pepper": salt_and_pepper,
    "saturation": saturation,
    "solarize": solarize,
    "tint": tint,
}
