"""OpenCV step by step, as one writes it by hand: every step on 8-bit pixels, every geometric one resamples.

Only the operations that `benchmarks.kernels` measures. Numbers are those of the plan, so the work is the same; pixels
differ, since each step rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.op import Places
from kernels.plan import Plan, PlannedStep, asked

Pixels = NDArray[np.uint8]
Fields = Mapping[str, Any]
_LEVELS = np.arange(256, dtype=np.float32)


def applied(plan: Plan, pixels: Pixels) -> Pixels:
    """The pixels after every step of the plan. KeyError for an operation that has no form here."""
    for step in plan.steps:
        pixels = _moved(step, pixels) if isinstance(step.op.kind, Places) else _STEPS[step.op.name](pixels, step.fields)
    return pixels


def _moved(step: PlannedStep, pixels: Pixels) -> Pixels:
    if step.op.name == "hflip":
        return _bytes(cv2.flip(pixels, 1))
    assert isinstance(step.op.kind, Places)
    forward = np.array(step.op.kind.matrix(step.size_in, **asked(step.op.kind.matrix, step.fields))).reshape(3, 3)
    # OpenCV counts from the centre of the first pixel
    centred = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ forward @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return _bytes(cv2.warpAffine(pixels, centred[:2], (step.size_out.width, step.size_out.height), flags=cv2.INTER_LINEAR))


def _bytes(pixels: object) -> Pixels:
    return np.asarray(pixels, dtype=np.uint8)


def _by_table(pixels: Pixels, levels: NDArray[np.float32]) -> Pixels:
    return _bytes(cv2.LUT(pixels, np.clip(np.rint(levels), 0, 255).astype(np.uint8)))


def _brightness(pixels: Pixels, fields: Fields) -> Pixels:
    return _by_table(pixels, _LEVELS * fields["factor"])


def _contrast(pixels: Pixels, fields: Fields) -> Pixels:
    mean = cv2.mean(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[0]
    return _by_table(pixels, (_LEVELS - mean) * fields["factor"] + mean)


def _saturation(pixels: Pixels, fields: Fields) -> Pixels:
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _bytes(cv2.addWeighted(pixels, fields["factor"], grey, 1 - fields["factor"], 0))


def _hue(pixels: Pixels, fields: Fields) -> Pixels:
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    turned = np.mod(np.arange(256) + round(fields["turn"] * 180), 180).astype(np.uint8)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(colours, 0), turned), colours, 0)
    return _bytes(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB))


def _color_jitter(pixels: Pixels, fields: Fields) -> Pixels:
    pixels = _contrast(_brightness(pixels, {"factor": fields["brightness"]}), {"factor": fields["contrast"]})
    return _hue(_saturation(pixels, {"factor": fields["saturation"]}), {"turn": fields["hue"]})


def _gaussian_blur(pixels: Pixels, fields: Fields) -> Pixels:
    side = 2 * int(4 * fields["sigma"] + 0.5) + 1
    return _bytes(cv2.GaussianBlur(pixels, (side, side), fields["sigma"]))


def _gamma(pixels: Pixels, fields: Fields) -> Pixels:
    return _by_table(pixels, 255 * (_LEVELS / 255) ** fields["exponent"])


def _tint(pixels: Pixels, fields: Fields) -> Pixels:
    amounts = [255 * (1 if fields["channel"] == channel else -1) * fields["amount"] for channel in "rgb"]
    tables = np.clip(np.rint(_LEVELS[:, None] + amounts), 0, 255).astype(np.uint8)
    return _bytes(cv2.LUT(pixels, tables[None]))


def _solarize(pixels: Pixels, fields: Fields) -> Pixels:
    return _by_table(pixels, np.where(np.less(_LEVELS, 255 * fields["threshold"]), _LEVELS, 255 - _LEVELS))


def _posterize(pixels: Pixels, fields: Fields) -> Pixels:
    width = 2 ** (8 - fields["bits"])
    return _by_table(pixels, _LEVELS // width * width)


def _cutout(pixels: Pixels, fields: Fields) -> Pixels:
    height, width = pixels.shape[:2]
    side = round((fields["area"] * height * width) ** 0.5)
    top, left = int(fields["down"] * (height - side)), int(fields["across"] * (width - side))
    result = pixels.copy()
    result[top : top + side, left : left + side] = np.rint(255 * np.array(fields["color"]))
    return result


def _gaussian_noise(pixels: Pixels, fields: Fields) -> Pixels:
    noise: NDArray[np.int16] = np.empty(pixels.shape, np.int16)
    cv2.randn(noise, np.zeros(3), np.full(3, 255 * fields["sigma"]))
    return _bytes(cv2.add(pixels, noise, dtype=cv2.CV_8U))


_STEPS: Mapping[str, Callable[[Pixels, Fields], Pixels]] = {
    "brightness": _brightness,
    "color_jitter": _color_jitter,
    "contrast": _contrast,
    "cutout": _cutout,
    "gamma": _gamma,
    "gaussian_blur": _gaussian_blur,
    "gaussian_noise": _gaussian_noise,
    "hue": _hue,
    "posterize": _posterize,
    "saturation": _saturation,
    "solarize": _solarize,
    "tint": _tint,
}
