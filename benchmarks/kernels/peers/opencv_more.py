"""OpenCV's forms of what few libraries have: tables of levels, filters, fields read through a map, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.kernels.peers.peer import displacement_of
from kernels import point_spreads
from kernels.op import Field
from kernels.ops import OPS
from kernels.plan import PlannedStep

Pixels = NDArray[np.uint8]
Form = Callable[[Any, PlannedStep], Any]
_LEVELS = np.arange(256) / 255.0
_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
}
_SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32)


def _bytes(pixels: object) -> Pixels:
    return np.asarray(pixels, dtype=np.uint8)


def _grey(pixels: Pixels) -> Pixels:
    return _bytes(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _thrice(grey: object) -> Pixels:
    return _bytes(cv2.cvtColor(_bytes(grey), cv2.COLOR_GRAY2RGB))


def _displaced(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = step.size_out
    across, down = displacement_of(step)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    border = _BORDERS[getattr(step.params, "border", "replicate")]
    return _bytes(cv2.remap(pixels, x + across, y + down, cv2.INTER_LINEAR, borderMode=border))


def _by_table(levels: Callable[[NDArray[np.float64], Mapping[str, Any]], Any]) -> Form:
    """Each level 0..1 by what `levels` makes of it: (256,), or (256, 3) where channels differ."""

    def applied(pixels: Pixels, step: PlannedStep) -> Pixels:
        table = np.clip(np.rint(255.0 * np.asarray(levels(_LEVELS, step.fields))), 0, 255).astype(np.uint8)
        return _bytes(cv2.LUT(pixels, table if table.ndim == 1 else table[None]))

    return applied


def _colours(fields: Mapping[str, Any]) -> NDArray[np.float64]:
    return np.array([fields["red"], fields["green"], fields["blue"]])


def _looked_up(levels: NDArray[np.float64], fields: Mapping[str, Any]) -> NDArray[np.float64]:
    return np.stack([np.interp(levels, np.linspace(0, 1, len(points)), points) for points in fields["table"]], axis=1)


def _shuffled(pixels: Pixels, step: PlannedStep) -> Pixels:
    return np.ascontiguousarray(pixels[..., ["rgb".index(name) for name in step.fields["order"]]])


def _threshold(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _thrice(cv2.threshold(_grey(pixels), 255 * step.fields["level"], 255, cv2.THRESH_BINARY)[1])


def _otsu_threshold(pixels: Pixels, _: PlannedStep) -> Pixels:
    return _thrice(cv2.threshold(_grey(pixels), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1])


def _adaptive_threshold(pixels: Pixels, step: PlannedStep) -> Pixels:
    size, offset = step.fields["size"] // 2 * 2 + 1, 255 * step.fields["offset"]
    way = cv2.ADAPTIVE_THRESH_MEAN_C
    return _thrice(cv2.adaptiveThreshold(_grey(pixels), 255, way, cv2.THRESH_BINARY, size, offset))


def _equalize(pixels: Pixels, _: PlannedStep) -> Pixels:
    return _bytes(cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(pixels)]))


def _clahe(pixels: Pixels, step: PlannedStep) -> Pixels:
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    tiles = cv2.createCLAHE(step.fields["clip"], (step.fields["grid"],) * 2)
    cv2.insertChannel(tiles.apply(cv2.extractChannel(colours, 0)), colours, 0)
    return _bytes(cv2.cvtColor(colours, cv2.COLOR_LAB2RGB))


def _hsv_shift(pixels: Pixels, step: PlannedStep) -> Pixels:
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    levels, fields = np.arange(256), step.fields
    table = np.stack(
        [
            (levels + round(180 * fields["hue"])) % 180,
            np.clip(levels + 255 * fields["saturation"], 0, 255),
            np.clip(levels + 255 * fields["value"], 0, 255),
        ],
        axis=1,
    ).astype(np.uint8)
    return _bytes(cv2.cvtColor(_bytes(cv2.LUT(colours, table[None])), cv2.COLOR_HSV2RGB))


def _kmeans(pixels: Pixels, step: PlannedStep) -> Pixels:
    enough = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    points, count = pixels.reshape(-1, 3).astype(np.float32), step.fields["colors"]
    labels: NDArray[np.int32] = np.empty(len(points), np.int32)
    _, found, colours = cv2.kmeans(points, count, labels, enough, 1, cv2.KMEANS_PP_CENTERS)
    return _bytes(np.rint(colours)[np.ravel(found)].reshape(pixels.shape))


def _filtered(kernel: Callable[[Mapping[str, Any]], Any]) -> Form:
    """Each pixel from its neighbours, weighed."""
    return lambda pixels, step: _bytes(
        cv2.filter2D(pixels, -1, np.asarray(kernel(step.fields), np.float32), borderType=cv2.BORDER_REFLECT)
    )


def _sharpen(fields: Mapping[str, Any]) -> NDArray[np.float64]:
    kernel = np.full((3, 3), -fields["alpha"])
    kernel[1, 1] = fields["alpha"] * (8 + fields["lightness"]) + 1 - fields["alpha"]
    return kernel


def _emboss(fields: Mapping[str, Any]) -> NDArray[np.float64]:
    strong = fields["strength"]
    kernel = np.array([[-1 - strong, -strong, 0], [-strong, 1, strong], [0, strong, 1 + strong]])
    return np.array(fields["alpha"] * kernel + (1 - fields["alpha"]) * np.diag([0.0, 1.0, 0.0]))


def _morphology(way: int) -> Form:
    return lambda pixels, step: _bytes(cv2.morphologyEx(pixels, way, np.ones((step.fields["size"],) * 2, np.uint8)))


def _laplacian(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(cv2.convertScaleAbs(cv2.Laplacian(pixels, cv2.CV_16S), alpha=step.fields["gain"]))


def _unsharp_mask(pixels: Pixels, step: PlannedStep) -> Pixels:
    soft = cv2.GaussianBlur(pixels, (0, 0), step.fields["sigma"], borderType=cv2.BORDER_REFLECT)
    return _bytes(cv2.addWeighted(pixels, 1 + step.fields["amount"], soft, -step.fields["amount"], 0))


def _bilateral(pixels: Pixels, step: PlannedStep) -> Pixels:
    fields = step.fields
    return _bytes(cv2.bilateralFilter(pixels, fields["size"], 255 * fields["sigma_color"], fields["sigma_space"]))


def _mean_shift(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(cv2.pyrMeanShiftFiltering(pixels, step.fields["reach"], 255 * step.fields["color"], maxLevel=0))


def _canny(pixels: Pixels, step: PlannedStep) -> Pixels:
    steepest = 4 * 255
    return _thrice(cv2.Canny(_grey(pixels), steepest * step.fields["low"], steepest * step.fields["high"]))


def _enlarged(pixels: Pixels, small: object, way: int) -> Pixels:
    height, width = pixels.shape[:2]
    return _bytes(cv2.resize(_bytes(small), (width, height), interpolation=way))


def _downscale(pixels: Pixels, step: PlannedStep) -> Pixels:
    factor = step.fields["factor"]
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return _enlarged(pixels, small, cv2.INTER_LINEAR)


def _pixelate(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = (max(1, round(side / step.fields["size"])) for side in pixels.shape[:2])
    return _enlarged(pixels, cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), cv2.INTER_NEAREST)


def _uniform_noise(pixels: Pixels, step: PlannedStep) -> Pixels:
    most = 255 * step.fields["amplitude"]
    noise: NDArray[np.int16] = np.empty(pixels.shape, np.int16)
    cv2.randu(noise, np.full(3, -most), np.full(3, most))
    return _bytes(cv2.add(pixels, noise, dtype=cv2.CV_8U))


def _multiplied(pixels: Pixels, step: PlannedStep) -> Pixels:
    factors: NDArray[np.float32] = np.empty(pixels.shape, np.float32)
    cv2.randu(factors, np.full(3, 1 - step.fields["amplitude"]), np.full(3, 1 + step.fields["amplitude"]))
    return _bytes(cv2.multiply(pixels, factors, dtype=cv2.CV_8U))


def _speckled(pixels: Pixels, step: PlannedStep) -> Pixels:
    factors: NDArray[np.float32] = np.empty(pixels.shape, np.float32)
    cv2.randn(factors, np.ones(3), np.full(3, step.fields["sigma"]))
    return _bytes(cv2.multiply(pixels, factors, dtype=cv2.CV_8U))


def _through(suffix: str, quality: int) -> Form:
    def written(pixels: Pixels, step: PlannedStep) -> Pixels:
        _, file = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [quality, step.fields["quality"]])
        return _bytes(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB))

    return written


MORE: Mapping[str, Form] = {
    **{op.name: _displaced for op in OPS.values() if isinstance(op.kind, Field)},
    "brightness_contrast": _by_table(lambda v, f: (v - 0.5) * f["contrast"] + 0.5 + f["brightness"]),
    "channel_gain": _by_table(lambda v, f: v[:, None] * _colours(f)),
    "rgb_shift": _by_table(lambda v, f: v[:, None] + _colours(f)),
    "log_contrast": _by_table(lambda v, f: f["gain"] * np.log2(1 + v)),
    "sigmoid_contrast": _by_table(lambda v, f: 1 / (1 + np.exp(f["gain"] * (f["cutoff"] - v)))),
    "solarize_add": _by_table(lambda v, f: np.where(v < f["threshold"], v + f["addition"], v)),
    "color_quantize": _by_table(lambda v, f: np.rint(v * (f["shades"] - 1)) / (f["shades"] - 1)),
    "lookup_table": _by_table(_looked_up),
    "channel_shuffle": _shuffled,
    "sepia": lambda x, s: cv2.transform(x, _SEPIA),
    "hsv_shift": _hsv_shift,
    "color_space_convert": lambda x, s: cv2.cvtColor(x, cv2.COLOR_RGB2LAB),
    "threshold": _threshold,
    "otsu_threshold": _otsu_threshold,
    "adaptive_threshold": _adaptive_threshold,
    "equalize": _equalize,
    "clahe": _clahe,
    "kmeans_color_quantize": _kmeans,
    "convolve": _filtered(lambda f: f["kernel"]),
    "sharpen": _filtered(_sharpen),
    "emboss": _filtered(_emboss),
    "motion_blur": _filtered(lambda f: point_spreads.motion(f["size"], f["degrees"], f["direction"])),
    "defocus_blur": _filtered(lambda f: point_spreads.disk(f["radius"], f["softness"])),
    "ringing_overshoot": _filtered(lambda f: point_spreads.sinc(f["size"], f["cutoff"])),
    "morph_close": _morphology(cv2.MORPH_CLOSE),
    "morph_open": _morphology(cv2.MORPH_OPEN),
    "morph_gradient": _morphology(cv2.MORPH_GRADIENT),
    "top_hat": _morphology(cv2.MORPH_TOPHAT),
    "black_hat": _morphology(cv2.MORPH_BLACKHAT),
    "laplacian": _laplacian,
    "unsharp_mask": _unsharp_mask,
    "bilateral_blur": _bilateral,
    "mean_shift_blur": _mean_shift,
    "canny": _canny,
    "downscale": _downscale,
    "pixelate": _pixelate,
    "uniform_noise": _uniform_noise,
    "multiplicative_noise": _multiplied,
    "speckle_noise": _speckled,
    "jpeg": _through(".jpg", cv2.IMWRITE_JPEG_QUALITY),
    "webp": _through(".webp", cv2.IMWRITE_WEBP_QUALITY),
}
"""To be joined with the forms in `opencv`."""
