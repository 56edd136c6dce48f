"""What operations that change the light of a picture mean; see `references`."""

from __future__ import annotations

import math

import numpy as np

from kernels.plan import PlannedStep
from tests.helpers.references import GREY, Levels, Pixels, Reference, limited


def centres(pixels: Pixels) -> tuple[Levels, Levels]:
    """x and y of the centre of every pixel."""
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]] + 0.5
    return x, y


def linear_illumination(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    angle = math.radians(step.fields["degrees"])
    towards = (math.cos(angle), -math.sin(angle))
    corners = [x * towards[0] + y * towards[1] for x in (0, width) for y in (0, height)]
    x, y = centres(pixels)
    along = (x * towards[0] + y * towards[1] - min(corners)) / (max(corners) - min(corners))
    return limited(pixels + 255 * step.fields["gain"] * along[..., None])


def gaussian_illumination(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    x, y = centres(pixels)
    distance = np.hypot(x / width - step.fields["across"], y / height - step.fields["down"])
    bell = np.exp(-((distance / step.fields["sigma"]) ** 2) / 2)
    return limited(pixels + 255 * step.fields["gain"] * bell[..., None])


def vignetting(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    middle = (step.fields["across"] * width, step.fields["down"] * height)
    farthest = max(math.dist(middle, corner) for corner in ((0, 0), (0, height), (width, 0), (width, height)))
    x, y = centres(pixels)
    distance = np.hypot(x - middle[0], y - middle[1]) / farthest
    return limited(pixels * (1 - step.fields["intensity"] * distance**2)[..., None])


def polygon_shadow(pixels: Pixels, step: PlannedStep) -> Levels:
    height, width = pixels.shape[:2]
    x, y = centres(pixels)
    middle = np.interp(y, (0, height), (step.fields["top"] * width, step.fields["bottom"] * width))
    edge = step.fields["width"] * width / 2
    blur = max(1.0, step.fields["softness"] * width)
    shade = np.interp(np.abs(x - middle), (edge - blur / 2, edge + blur / 2), (1, 0))
    return limited(pixels * (1 - step.fields["intensity"] * shade)[..., None])


def black_body(kelvin: float) -> Levels:
    """Linear sRGB of luminance 1: the Planckian locus by the splines of Kim et al., then the matrix of sRGB."""
    t = 1 / kelvin
    if kelvin < 4000:
        x = -0.2661239e9 * t**3 - 0.2343589e6 * t**2 + 0.8776956e3 * t + 0.179910
    else:
        x = -3.0258469e9 * t**3 + 2.1070379e6 * t**2 + 0.2226347e3 * t + 0.240390
    if kelvin < 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif kelvin < 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    to_srgb = [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
    return np.array(to_srgb) @ np.array([x / y, 1, (1 - x - y) / y])


def planckian_jitter(pixels: Pixels, step: PlannedStep) -> Levels:
    gains = np.maximum(black_body(step.fields["temperature"]) / black_body(6500), 1e-4) ** (1 / 2.2)
    return limited(pixels * (gains / (gains @ GREY)))


def fancy_pca(pixels: Pixels, step: PlannedStep) -> Levels:
    values = np.array([0.2175, 0.0188, 0.0045])
    vectors = np.array([[0.5675, 0.7192, 0.4009], [0.5808, -0.0045, -0.8140], [0.5836, -0.6948, 0.4203]])
    along = values * [step.fields["first"], step.fields["second"], step.fields["third"]]
    return limited(pixels + 255 * vectors @ along)


REFERENCES: dict[str, Reference] = {
    "fancy_pca": fancy_pca,
    "gaussian_illumination": gaussian_illumination,
    "linear_illumination": linear_illumination,
    "planckian_jitter": planckian_jitter,
    "polygon_shadow": polygon_shadow,
    "vignetting": vignetting,
}
