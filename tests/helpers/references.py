"""What each operation means, said once more: slow, obvious and independent of the operations' own code.

A reference takes (H, W, 3) uint8 pixels and the planned step, and gives the levels 0..255 that the result should have,
before they are rounded. Fields are in `step.fields`. `REFERENCES` has one for each operation on colours and on
neighbourhoods; `references_light`, `references_noise` and `references_geometry` have the others.
"""

from __future__ import annotations

import colorsys
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


def brightness_contrast(pixels: Pixels, step: PlannedStep) -> Levels:
    spread = 127.5 + step.fields["contrast"] * (pixels - 127.5)
    return limited(spread + 255 * step.fields["brightness"])


def by_name(step: PlannedStep) -> Levels:
    return np.array([step.fields["red"], step.fields["green"], step.fields["blue"]])


def rgb_shift(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels + 255 * by_name(step))


def channel_gain(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(pixels * by_name(step))


def channel_shuffle(pixels: Pixels, step: PlannedStep) -> Levels:
    return pixels[..., ["rgb".index(name) for name in step.fields["order"]]].astype(np.float64)


def hsv_shift(pixels: Pixels, step: PlannedStep) -> Levels:
    result = np.empty(pixels.shape)
    for place in np.ndindex(pixels.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(pixels[place] / 255.0))
        h = (h + step.fields["hue"]) % 1.0
        s = min(1.0, max(0.0, s + step.fields["saturation"])) if s > 0 else 0.0
        v = min(1.0, max(0.0, v + step.fields["value"]))
        result[place] = colorsys.hsv_to_rgb(h, s, v)
    return result * 255


def sepia(pixels: Pixels, step: PlannedStep) -> Levels:
    brown = limited(pixels @ np.array([[0.393, 0.349, 0.272], [0.769, 0.686, 0.534], [0.189, 0.168, 0.131]]))
    return step.fields["strength"] * brown + (1 - step.fields["strength"]) * pixels


def auto_contrast(pixels: Pixels, step: PlannedStep) -> Levels:
    result = pixels.astype(np.float64)
    for channel in range(3):
        values = np.sort(pixels[..., channel].ravel()).astype(np.float64)
        lost = int(step.fields["cutoff"] * len(values))
        low, high = values[lost], values[-1 - lost]
        if high > low:
            result[..., channel] = (pixels[..., channel] - low) / (high - low) * 255
    return limited(result)


def sigmoid_contrast(pixels: Pixels, step: PlannedStep) -> Levels:
    return 255 / (1 + np.exp(step.fields["gain"] * (step.fields["cutoff"] - pixels / 255)))


def log_contrast(pixels: Pixels, step: PlannedStep) -> Levels:
    return limited(255 * step.fields["gain"] * np.log2(1 + pixels / 255))


def tone_curve(pixels: Pixels, step: PlannedStep) -> Levels:
    t = pixels / 255
    first, second = 1 / 3 + step.fields["shadows"], 2 / 3 + step.fields["highlights"]
    return limited(255 * (3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3))


def solarize_add(pixels: Pixels, step: PlannedStep) -> Levels:
    added = limited(pixels + 255 * step.fields["addition"])
    return np.where(pixels / 255 < step.fields["threshold"], added, pixels)


def threshold(pixels: Pixels, step: PlannedStep) -> Levels:
    white = grey(pixels) >= 256 * step.fields["level"] - 0.5
    return np.repeat(np.where(white, 255.0, 0.0)[..., None], 3, axis=-1)


def color_quantize(pixels: Pixels, step: PlannedStep) -> Levels:
    shades = np.linspace(0, 255, step.fields["shades"])
    return shades[np.abs(pixels[..., None] - shades).argmin(axis=-1)]


def dithering(pixels: Pixels, step: PlannedStep) -> Levels:
    pattern = np.zeros((1, 1))
    for _ in range(3):
        pattern = np.block([[4 * pattern, 4 * pattern + 2], [4 * pattern + 3, 4 * pattern + 1]])
    height, width = pixels.shape[:2]
    tiled = np.tile(pattern, (height // 8 + 1, width // 8 + 1))[:height, :width]
    steps = step.fields["shades"] - 1
    return np.floor(pixels / 255 * steps + (tiled[..., None] + 0.5) / 64) / steps * 255


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
    "auto_contrast": auto_contrast,
    "box_blur": box_blur,
    "brightness": brightness,
    "brightness_contrast": brightness_contrast,
    "channel_dropout": channel_dropout,
    "channel_gain": channel_gain,
    "channel_shuffle": channel_shuffle,
    "channel_swap": channel_swap,
    "color_jitter": color_jitter,
    "color_quantize": color_quantize,
    "contrast": contrast,
    "dithering": dithering,
    "edge_enhance": edge_enhance,
    "edge_map": edge_map,
    "gamma": gamma,
    "gaussian_blur": gaussian_blur,
    "grayscale": grayscale,
    "hsv_shift": hsv_shift,
    "hue": hue,
    "invert": invert,
    "log_contrast": log_contrast,
    "max_filter": max_filter,
    "min_filter": min_filter,
    "percentile_filter": percentile_filter,
    "posterize": posterize,
    "rgb_shift": rgb_shift,
    "saturation": saturation,
    "sepia": sepia,
    "sigmoid_contrast": sigmoid_contrast,
    "solarize": solarize,
    "solarize_add": solarize_add,
    "threshold": threshold,
    "tint": tint,
    "tone_curve": tone_curve,
}
