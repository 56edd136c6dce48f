"""OpenCV step by step, as one writes it by hand: every step on 8-bit pixels, every geometric one resamples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.kernels.peers.opencv_more import MORE
from benchmarks.kernels.peers.peer import Peer, box_of, matrix_of
from kernels.op import Places
from kernels.ops import OPS
from kernels.plan import PlannedStep

Pixels = NDArray[np.uint8]
Fields = Mapping[str, Any]
_LEVELS = np.arange(256, dtype=np.float32)
_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
}


def _border(step: PlannedStep) -> int:
    return _BORDERS[getattr(step.params, "border", "replicate")]


def _centred(step: PlannedStep) -> NDArray[np.float64]:
    # OpenCV counts from the centre of the first pixel
    forward = np.array(matrix_of(step)).reshape(3, 3)
    centred: NDArray[np.float64] = (
        np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]]) @ forward @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    )
    return centred


def _warp(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = step.size_out
    warped = cv2.warpAffine(pixels, _centred(step)[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=_border(step))
    return _bytes(warped)


def _perspective(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = step.size_out
    matrix = _centred(step)
    return _bytes(cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=_border(step)))


def _crop(pixels: Pixels, step: PlannedStep) -> Pixels:
    left, top, right, bottom = box_of(step)
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def _resized_crop(pixels: Pixels, step: PlannedStep) -> Pixels:
    left, top, right, bottom = box_of(step)
    height, width = step.size_out
    return _bytes(cv2.resize(pixels[top:bottom, left:right], (width, height), interpolation=cv2.INTER_LINEAR))


def _resize(pixels: Pixels, step: PlannedStep) -> Pixels:
    (height, width), (rows, columns) = step.size_out, step.size_in
    how = cv2.INTER_AREA if height < rows and width < columns else cv2.INTER_LINEAR
    return _bytes(cv2.resize(pixels, (width, height), interpolation=how))


def _pad(pixels: Pixels, step: PlannedStep) -> Pixels:
    top, bottom, left, right = (step.fields[name] for name in ("top", "bottom", "left", "right"))
    return _bytes(cv2.copyMakeBorder(pixels, top, bottom, left, right, _border(step), value=[51, 102, 204]))


def _elastic(pixels: Pixels, step: PlannedStep) -> Pixels:
    """The field is drawn on a coarse grid and enlarged: much faster than smoothing one of full size."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    cells = max(3, round(1 / step.fields["sigma"]))
    noise = np.random.default_rng(0).uniform(-1, 1, (2, cells, cells)).astype(np.float32) * step.fields["alpha"] * side
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x += cv2.resize(noise[0], (width, height), interpolation=cv2.INTER_CUBIC)
    y += cv2.resize(noise[1], (width, height), interpolation=cv2.INTER_CUBIC)
    return _bytes(cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


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


def _color_jitter(pixels: Pixels, step: PlannedStep) -> Pixels:
    fields = step.fields
    pixels = _contrast(_brightness(pixels, {"factor": fields["brightness"]}), {"factor": fields["contrast"]})
    return _hue(_saturation(pixels, {"factor": fields["saturation"]}), {"turn": fields["hue"]})


def _grey(pixels: Pixels) -> Pixels:
    return _bytes(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _grayscale(pixels: Pixels, step: PlannedStep) -> Pixels:
    grey = _bytes(cv2.cvtColor(_grey(pixels), cv2.COLOR_GRAY2RGB))
    share = step.fields["strength"]
    return grey if share == 1.0 else _bytes(cv2.addWeighted(grey, share, pixels, 1 - share, 0))


def _gaussian_blur(pixels: Pixels, step: PlannedStep) -> Pixels:
    sigma = step.fields["sigma"]
    side = 2 * int(4 * sigma + 0.5) + 1
    return _bytes(cv2.GaussianBlur(pixels, (side, side), sigma, borderType=cv2.BORDER_REFLECT))


def _gamma(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _by_table(pixels, 255 * (_LEVELS / 255) ** step.fields["exponent"])


def _tint(pixels: Pixels, step: PlannedStep) -> Pixels:
    amounts = [255 * (1 if step.fields["channel"] == channel else -1) * step.fields["amount"] for channel in "rgb"]
    tables = np.clip(np.rint(_LEVELS[:, None] + amounts), 0, 255).astype(np.uint8)
    return _bytes(cv2.LUT(pixels, tables[None]))


def _solarize(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _by_table(pixels, np.where(np.less(_LEVELS, 255 * step.fields["threshold"]), _LEVELS, 255 - _LEVELS))


def _posterize(pixels: Pixels, step: PlannedStep) -> Pixels:
    width = 2 ** (8 - step.fields["bits"])
    return _by_table(pixels, _LEVELS // width * width)


def _channel_dropout(pixels: Pixels, step: PlannedStep) -> Pixels:
    result = pixels.copy()
    result[..., "rgb".index(step.fields["channel"])] = round(255 * step.fields["level"])
    return result


def _channel_swap(pixels: Pixels, step: PlannedStep) -> Pixels:
    order = [0, 1, 2]
    first, second = ("rgb".index(step.fields[name]) for name in ("first", "second"))
    order[first], order[second] = second, first
    result = np.empty_like(pixels)
    cv2.mixChannels([pixels], [result], [place for pair in zip(order, range(3), strict=True) for place in pair])
    return result


def _cutout(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = pixels.shape[:2]
    side = round((step.fields["area"] * height * width) ** 0.5)
    top, left = int(step.fields["down"] * (height - side)), int(step.fields["across"] * (width - side))
    result = pixels.copy()
    result[top : top + side, left : left + side] = np.rint(255 * np.array(step.fields["color"]))
    return result


def _grid_mask(pixels: Pixels, step: PlannedStep) -> Pixels:
    height, width = pixels.shape[:2]
    cell = max(2, round(min(height, width) / step.fields["cells"]))
    square = round(cell * step.fields["share"])
    result = pixels.copy()
    for top in range(0, height, cell):
        for left in range(0, width, cell):
            result[top : top + square, left : left + square] = 0
    return result


def _gaussian_noise(pixels: Pixels, step: PlannedStep) -> Pixels:
    noise: NDArray[np.int16] = np.empty(pixels.shape, np.int16)
    cv2.randn(noise, np.zeros(3), np.full(3, 255 * step.fields["sigma"]))
    return _bytes(cv2.add(pixels, noise, dtype=cv2.CV_8U))


def _specks(pixels: Pixels, step: PlannedStep, salt: float) -> Pixels:
    chance: Pixels = np.empty(pixels.shape[:2], np.uint8)
    cv2.randu(chance, np.zeros(1), np.full(1, 256.0))
    result, most = pixels.copy(), 255 * step.fields["amount"]
    result[chance < most] = 0
    result[chance < most * salt] = 255
    return result


def _impulse_noise(pixels: Pixels, step: PlannedStep) -> Pixels:
    chance: Pixels = np.empty(pixels.shape[:2], np.uint8)
    noise = np.empty_like(pixels)
    cv2.randu(chance, np.zeros(1), np.full(1, 256.0))
    cv2.randu(noise, np.zeros(3), np.full(3, 256.0))
    return _bytes(cv2.copyTo(noise, np.less(chance, 255 * step.fields["amount"]).astype(np.uint8), pixels.copy()))


def _edges(pixels: Pixels) -> NDArray[np.float32]:
    grey = _grey(pixels)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    steep = cv2.magnitude(across, down)
    return np.asarray(cv2.normalize(steep, np.empty_like(steep), 0.0, 255.0, cv2.NORM_MINMAX), np.float32)


def _edge_map(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(cv2.cvtColor(_edges(pixels).astype(np.uint8), cv2.COLOR_GRAY2RGB))


def _edge_enhance(pixels: Pixels, step: PlannedStep) -> Pixels:
    return _bytes(cv2.addWeighted(pixels, 1.0, _edge_map(pixels, step), step.fields["strength"], 0))


def _window(step: PlannedStep) -> Pixels:
    return np.ones((step.fields["size"],) * 2, np.uint8)


PEER = Peer(
    "opencv",
    ("opencv-python-headless",),
    is_batched=False,
    load=lambda pixels: pixels,
    unload=lambda pixels: pixels,
    forms={
        **{op.name: _warp for op in OPS.values() if isinstance(op.kind, Places)},
        **MORE,
        "center_crop": _crop,
        "crop": _crop,
        "elastic": _elastic,
        "hflip": lambda x, s: cv2.flip(x, 1),
        "pad": _pad,
        "perspective": _perspective,
        "random_crop": _crop,
        "random_crop_from_borders": _crop,
        "rot90": lambda x, s: cv2.rotate(x, cv2.ROTATE_90_COUNTERCLOCKWISE),
        "transpose": lambda x, s: cv2.transpose(x),
        "random_resized_crop": _resized_crop,
        "resize": _resize,
        "vflip": lambda x, s: cv2.flip(x, 0),
        "brightness": lambda x, s: _brightness(x, s.fields),
        "channel_dropout": _channel_dropout,
        "channel_swap": _channel_swap,
        "color_jitter": _color_jitter,
        "contrast": lambda x, s: _contrast(x, s.fields),
        "gamma": _gamma,
        "grayscale": _grayscale,
        "hue": lambda x, s: _hue(x, s.fields),
        "invert": lambda x, s: cv2.bitwise_not(x),
        "posterize": _posterize,
        "saturation": lambda x, s: _saturation(x, s.fields),
        "solarize": _solarize,
        "tint": _tint,
        "cutout": _cutout,
        "gaussian_noise": _gaussian_noise,
        "grid_mask": _grid_mask,
        "impulse_noise": _impulse_noise,
        "pepper": lambda x, s: _specks(x, s, 0.0),
        "salt": lambda x, s: _specks(x, s, 1.0),
        "salt_and_pepper": lambda x, s: _specks(x, s, s.fields["salt"]),
        "box_blur": lambda x, s: cv2.blur(x, (s.fields["size"],) * 2, borderType=cv2.BORDER_REFLECT),
        "edge_enhance": _edge_enhance,
        "edge_map": _edge_map,
        "gaussian_blur": _gaussian_blur,
        "max_filter": lambda x, s: cv2.dilate(x, _window(s)),
        "min_filter": lambda x, s: cv2.erode(x, _window(s)),
        "percentile_filter": lambda x, s: cv2.medianBlur(x, s.fields["size"]),
    },
)
