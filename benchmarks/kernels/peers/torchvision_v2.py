"""torchvision's v2 functions on 8-bit planes, (3, H, W), one picture at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as tv

from benchmarks.kernels.peers.peer import Image, Peer, box_of, matrix_of
from kernels.plan import PlannedStep

_LINEAR = InterpolationMode.BILINEAR


def load(pixels: NDArray[np.uint8]) -> Image:
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def unload(image: Image) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = image.permute(1, 2, 0).contiguous().numpy()
    return pixels


def _affine(image: Image, step: PlannedStep) -> Image:
    return tv.affine(
        image,
        -step.fields.get("degrees", 0.0),
        [round(step.fields.get(f"translate_{axis}", 0.0) * 512) for axis in "xy"],
        step.fields.get("scale", 1.0),
        [step.fields.get(f"shear_{axis}", 0.0) for axis in "xy"],
        _LINEAR,
    )


def _shear(image: Image, step: PlannedStep) -> Image:
    return tv.affine(image, 0.0, [0, 0], 1.0, [step.fields["x"], step.fields["y"]], _LINEAR)


def _translate(image: Image, step: PlannedStep) -> Image:
    _, _, across, _, _, down, *_ = matrix_of(step)
    return tv.affine(image, 0.0, [round(across), round(down)], 1.0, [0.0, 0.0], _LINEAR)


def _perspective(image: Image, step: PlannedStep) -> Image:
    height, width = step.size_in
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], float)
    moved = corners @ np.array(matrix_of(step)).reshape(3, 3).T
    ends = [[round(x / w), round(y / w)] for x, y, w in moved.tolist()]
    return tv.perspective(image, [[int(x), int(y)] for x, y, _ in corners.tolist()], ends, _LINEAR)


def _crop(image: Image, step: PlannedStep) -> Image:
    left, top, right, bottom = box_of(step)
    return tv.crop(image, top, left, bottom - top, right - left).contiguous()


def _resized_crop(image: Image, step: PlannedStep) -> Image:
    left, top, right, bottom = box_of(step)
    return tv.resized_crop(image, top, left, bottom - top, right - left, list(step.size_out), _LINEAR, antialias=True)


def _elastic(image: Image, _: PlannedStep) -> Image:
    # torchvision's own transform smooths a field of full size by a kernel of 41 x 41; its defaults
    noise = torch.rand(2, *image.shape[1:]) * 2 - 1
    field = tv.gaussian_blur(noise, [41, 41], [5.0, 5.0]) * 50.0 / image.shape[1]
    return tv.elastic(image, field.permute(1, 2, 0)[None], _LINEAR)


def _color_jitter(image: Image, step: PlannedStep) -> Image:
    fields = step.fields
    image = tv.adjust_contrast(tv.adjust_brightness(image, fields["brightness"]), fields["contrast"])
    return tv.adjust_hue(tv.adjust_saturation(image, fields["saturation"]), fields["hue"])


def _erase(image: Image, step: PlannedStep) -> Image:
    side = round(math.sqrt(step.fields["area"] * step.size_in.pixels))
    top = int(step.fields["down"] * (step.size_in.height - side))
    left = int(step.fields["across"] * (step.size_in.width - side))
    return tv.erase(image, top, left, side, side, torch.full((3, 1, 1), 128, dtype=torch.uint8))


def _gaussian_blur(image: Image, step: PlannedStep) -> Image:
    sigma = step.fields["sigma"]
    side = 2 * int(4 * sigma + 0.5) + 1
    return tv.gaussian_blur(image, [side, side], [sigma, sigma])


_RANDOM = {
    "auto_augment": v2.AutoAugment(interpolation=_LINEAR),
    "rand_augment": v2.RandAugment(3, 15, interpolation=_LINEAR),
    "trivial_augment": v2.TrivialAugmentWide(interpolation=_LINEAR),
    "aug_mix": v2.AugMix(severity=8, interpolation=_LINEAR),
}
"""Policies, which draw by themselves."""


def _policy(name: str) -> Callable[[Image, PlannedStep | None], Image]:
    return lambda image, _: _RANDOM[name](image)


PEER = Peer(
    "torchvision",
    ("torchvision", "torch"),
    is_batched=False,
    load=load,
    unload=unload,
    forms={
        **{name: _policy(name) for name in _RANDOM},
        "affine": _affine,
        "center_crop": lambda x, s: tv.center_crop(x, list(s.size_out)).contiguous(),
        "elastic": _elastic,
        "hflip": lambda x, s: tv.horizontal_flip(x),
        "pad": lambda x, s: tv.pad(x, [s.fields[name] for name in ("left", "top", "right", "bottom")]),
        "perspective": _perspective,
        "random_crop": _crop,
        "random_resized_crop": _resized_crop,
        "resize": lambda x, s: tv.resize(x, list(s.size_out), _LINEAR, antialias=True),
        "rotate": lambda x, s: tv.rotate(x, s.fields["degrees"], _LINEAR),
        "shear": _shear,
        "translate": _translate,
        "vflip": lambda x, s: tv.vertical_flip(x),
        "zoom": _resized_crop,
        "brightness": lambda x, s: tv.adjust_brightness(x, s.fields["factor"]),
        "channel_swap": lambda x, s: tv.permute_channels(x, [2, 1, 0]),
        "color_jitter": _color_jitter,
        "contrast": lambda x, s: tv.adjust_contrast(x, s.fields["factor"]),
        "gamma": lambda x, s: tv.adjust_gamma(x, s.fields["exponent"]),
        "grayscale": lambda x, s: tv.rgb_to_grayscale(x, 3).contiguous(),
        "hue": lambda x, s: tv.adjust_hue(x, s.fields["turn"]),
        "invert": lambda x, s: tv.invert(x),
        "posterize": lambda x, s: tv.posterize(x, s.fields["bits"]),
        "saturation": lambda x, s: tv.adjust_saturation(x, s.fields["factor"]),
        "solarize": lambda x, s: tv.solarize(x, 255 * s.fields["threshold"]),
        "cutout": _erase,
        "gaussian_noise": lambda x, s: tv.gaussian_noise(x, 0.0, s.fields["sigma"]),
        "gaussian_blur": _gaussian_blur,
        "sharpness": lambda x, s: tv.adjust_sharpness(x, s.fields["factor"]),
        "equalize": lambda x, s: tv.equalize(x),
        "channel_shuffle": lambda x, s: tv.permute_channels(x, ["rgb".index(name) for name in s.fields["order"]]),
        "rot90": lambda x, s: torch.rot90(x, s.fields["turns"], (1, 2)).contiguous(),
        "transpose": lambda x, s: x.transpose(1, 2).contiguous(),
    },
)
