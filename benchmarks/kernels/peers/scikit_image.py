"""scikit-image's functions, as one calls them on 8-bit pixels; many of them compute in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import color, exposure, feature, filters, segmentation, transform, util

from benchmarks.kernels.peers.peer import Peer
from kernels.plan import PlannedStep

Pixels = NDArray[np.uint8]


def _bytes(image: Any) -> Pixels:
    """From floats of 0..1, clipped, or bytes as they are."""
    if image.dtype == np.uint8:
        return np.asarray(image)
    return np.asarray(np.rint(np.clip(image, 0.0, 1.0) * 255.0), np.uint8)


def _thrice(grey: Any) -> Pixels:
    return np.repeat(_bytes(np.asarray(grey, np.float32))[..., None], 3, 2)


def _resize(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(transform.resize(pixels, tuple(step.size_out), order=1, anti_aliasing=True))


def _moved_points(step: PlannedStep) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a grid, (x, y), and where each is moved to."""
    height, width = step.size_in
    x, y = np.meshgrid(*(np.linspace(0, side - 1, step.fields["points"]) for side in (width, height)))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    moves = np.random.default_rng(0).normal(0.0, step.fields["scale"] * min(height, width) / 2, points.shape)
    return points, points + moves


def _piecewise_affine(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(
        transform.warp(pixels, transform.PiecewiseAffineTransform.from_estimate(*_moved_points(step)), mode="edge")
    )


def _thin_plate_spline(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(
        transform.warp(pixels, transform.ThinPlateSplineTransform.from_estimate(*_moved_points(step)), mode="edge")
    )


def _equalize(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(np.stack([exposure.equalize_hist(pixels[..., channel]) for channel in range(3)], axis=2))


def _noise(mode: str, **given: Callable[[PlannedStep], object]) -> Callable[[Pixels, PlannedStep], Pixels]:
    def noisy(pixels: Pixels, step: PlannedStep) -> Pixels:
        return _bytes(util.random_noise(pixels, mode, rng=0, **{name: value(step) for name, value in given.items()}))

    return noisy


def _hue(pixels: Pixels, step: PlannedStep) -> Pixels:
    colours = color.rgb2hsv(pixels)
    colours[..., 0] = (colours[..., 0] + step.fields["turn"]) % 1.0
    return _bytes(color.hsv2rgb(colours))


def _lab(pixels: Pixels, _: PlannedStep) -> Pixels:
    return _bytes((color.rgb2lab(pixels) + np.array([0.0, 128.0, 128.0])) / np.array([100.0, 255.0, 255.0]))


def _adaptive_threshold(pixels: Pixels, step: PlannedStep) -> Pixels:
    grey, size = color.rgb2gray(pixels), step.fields["size"] // 2 * 2 + 1
    return _thrice(grey > filters.threshold_local(grey, size, "mean", step.fields["offset"]))


def _otsu_threshold(pixels: Pixels, _: PlannedStep) -> Pixels:
    grey = color.rgb2gray(pixels)
    return _thrice(grey > filters.threshold_otsu(grey))


def _canny(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _thrice(feature.canny(color.rgb2gray(pixels), 1.0, step.fields["low"], step.fields["high"]))


def _superpixels(pixels: Pixels, step: PlannedStep) -> Pixels:
    segments = segmentation.slic(pixels, step.fields["segments"], start_label=1)
    return _bytes(np.rint(color.label2rgb(segments, pixels, kind="avg")).astype(np.uint8))


def _unsharp_mask(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(filters.unsharp_mask(pixels, step.fields["sigma"], step.fields["amount"], channel_axis=2))


PEER = Peer(
    "skimage",
    ("scikit-image",),
    is_batched=False,
    load=lambda pixels: pixels,
    unload=lambda pixels: pixels,
    forms={
        "resize": _resize,
        "rotate": lambda x, s: _bytes(transform.rotate(x, s.fields["degrees"], order=1)),
        "piecewise_affine": _piecewise_affine,
        "thin_plate_spline": _thin_plate_spline,
        "clahe": lambda x, s: _bytes(exposure.equalize_adapthist(x, clip_limit=0.02)),
        "equalize": _equalize,
        "gamma": lambda x, s: exposure.adjust_gamma(x, s.fields["exponent"]),
        "sigmoid_contrast": lambda x, s: exposure.adjust_sigmoid(x, s.fields["cutoff"], s.fields["gain"]),
        "hue": _hue,
        "color_space_convert": _lab,
        "adaptive_threshold": _adaptive_threshold,
        "otsu_threshold": _otsu_threshold,
        "canny": _canny,
        "superpixels": _superpixels,
        "unsharp_mask": _unsharp_mask,
        "gaussian_noise": _noise("gaussian", var=lambda s: s.fields["sigma"] ** 2),
        "speckle_noise": _noise("speckle", var=lambda s: s.fields["sigma"] ** 2),
        "shot_noise": _noise("poisson"),
        "salt_and_pepper": _noise("s&p", amount=lambda s: s.fields["amount"], salt_vs_pepper=lambda s: s.fields["salt"]),
        "salt": _noise("salt", amount=lambda s: s.fields["amount"]),
        "pepper": _noise("pepper", amount=lambda s: s.fields["amount"]),
    },
)
