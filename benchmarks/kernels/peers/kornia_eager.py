"""Kornia as it is meant to be used: batches of float planes, (B, 3, H, W) float32 0..1, one operation after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import kornia.augmentation as aug
import numpy as np
import torch
from kornia import color, enhance, filters, morphology
from kornia.geometry import transform
from numpy.typing import NDArray

from benchmarks.kernels.peers.peer import Image, Peer, box_of, matrix_of
from kernels.equivalents import EQUIVALENTS
from kernels.op import Places, asked
from kernels.ops import OPS
from kernels.plan import PlannedStep

Steps = Sequence[PlannedStep]
_PADDING = {"constant": "zeros", "replicate": "border", "reflect": "reflection", "wrap": "zeros"}
_CENTRED = torch.tensor([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])


def load(pictures: Sequence[NDArray[np.uint8]]) -> Image:
    return torch.stack([torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures]).float().div_(255.0)


def unload(images: Image) -> NDArray[np.uint8]:
    levels = images.mul(255.0).round_().clamp_(0.0, 255.0).to(torch.uint8)
    pixels: NDArray[np.uint8] = levels.permute(0, 2, 3, 1).contiguous().numpy()
    return pixels


def _each(steps: Steps, name: str, times: float = 1.0) -> torch.Tensor:
    return torch.tensor([step.fields[name] * times for step in steps])


def _matrices(steps: Steps) -> torch.Tensor:
    matrices = torch.tensor([matrix_of(step) for step in steps]).view(-1, 3, 3)
    return torch.matmul(torch.matmul(_CENTRED, matrices), _CENTRED.inverse())


def _size(steps: Steps) -> tuple[int, int]:
    return steps[0].size_out.height, steps[0].size_out.width


def _padding(steps: Steps) -> str:
    return _PADDING[getattr(steps[0].params, "border", "replicate")]


def _warp(images: Image, steps: Steps) -> Image:
    return transform.warp_affine(images, _matrices(steps)[:, :2], _size(steps), "bilinear", _padding(steps))


def _rotate(images: Image, steps: Steps) -> Image:
    return transform.rotate(images, _each(steps, "degrees"), padding_mode=_padding(steps))


def _perspective(images: Image, steps: Steps) -> Image:
    return transform.warp_perspective(images, _matrices(steps), _size(steps), "bilinear", _padding(steps))


def _crop(images: Image, steps: Steps) -> Image:
    boxes = []
    for step in steps:
        left, top, right, bottom = box_of(step)
        boxes.append([[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]])
    return transform.crop_by_indices(images, torch.tensor(boxes), _size(steps)).contiguous()


def _pad(images: Image, steps: Steps) -> Image:
    sides = [steps[0].fields[name] for name in ("left", "right", "top", "bottom")]
    return torch.nn.functional.pad(images, sides)


def _elastic(images: Image, _: Steps) -> Image:
    noise = torch.rand(images.shape[0], 2, *images.shape[2:]) * 2 - 1
    return transform.elastic_transform2d(images, noise, padding_mode="reflection")


def _color_jitter(images: Image, steps: Steps) -> Image:
    ranges = tuple((steps[0].fields[name],) * 2 for name in ("brightness", "contrast", "saturation", "hue"))
    return _augmentation(aug.ColorJitter, *ranges)(images)


def _tint(images: Image, steps: Steps) -> Image:
    shifts = [[(1 if step.fields["channel"] == name else -1) * step.fields["amount"] for step in steps] for name in "rgb"]
    return enhance.shift_rgb(images, *torch.tensor(shifts))


def _cutout(images: Image, steps: Steps) -> Image:
    return _augmentation(aug.RandomErasing, (steps[0].fields["area"],) * 2, (1.0, 1.0), 0.5)(images)


def _specks(images: Image, steps: Steps, salt: float) -> Image:
    return _augmentation(aug.RandomSaltAndPepperNoise, (steps[0].fields["amount"],) * 2, (salt, salt))(images)


def _gaussian_blur(images: Image, steps: Steps) -> Image:
    sigma = steps[0].fields["sigma"]
    side = 2 * int(4 * sigma + 0.5) + 1
    return filters.gaussian_blur2d(images, (side, side), (sigma, sigma))


def _equivalent(name: str) -> Callable[[Image, Steps], Image]:
    """What profile kornia runs for an operation, on the whole batch."""
    function = EQUIVALENTS[name].function
    return lambda images, steps: function(images, **asked(function, steps[0].fields))


def _window(steps: Steps) -> torch.Tensor:
    return torch.ones(steps[0].fields["size"], steps[0].fields["size"])


@cache
def _augmentation(kind: Any, *arguments: Any, **named: Any) -> Any:
    return kind(*arguments, **named, p=1.0)


def _reference_pipeline(images: Image) -> Image:
    return _sequential()(images)


@cache
def _sequential() -> Any:
    return aug.AugmentationSequential(
        aug.RandomResizedCrop((224, 224), cropping_mode="slice"),
        aug.RandomHorizontalFlip(p=0.5),
        aug.RandomRotation(15.0, p=1.0),
        aug.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.1, 0.1), p=1.0),
        aug.RandomGaussianBlur((9, 9), (0.1, 2.0), p=0.3),
    )


_FORMS: Mapping[str, Callable[[Image, Any], Image]] = {
    "affine": _warp,
    "center_crop": _crop,
    "elastic": _elastic,
    "hflip": lambda x, s: transform.hflip(x),
    "pad": _pad,
    "perspective": _perspective,
    "random_crop": _crop,
    "random_resized_crop": _crop,
    "resize": lambda x, s: transform.resize(x, _size(s), antialias=True),
    "rotate": _rotate,
    "shear": _warp,
    "translate": _warp,
    "vflip": lambda x, s: transform.vflip(x),
    "zoom": _warp,
    "brightness": lambda x, s: enhance.adjust_brightness_accumulative(x, _each(s, "factor")),
    "channel_dropout": lambda x, s: _augmentation(aug.RandomChannelDropout)(x),
    "channel_swap": lambda x, s: _augmentation(aug.RandomChannelShuffle)(x),
    "color_jitter": _color_jitter,
    "contrast": lambda x, s: enhance.adjust_contrast_with_mean_subtraction(x, _each(s, "factor")),
    "gamma": lambda x, s: enhance.adjust_gamma(x, _each(s, "exponent")),
    "grayscale": lambda x, s: color.rgb_to_grayscale(x).repeat(1, 3, 1, 1),
    "hue": lambda x, s: enhance.adjust_hue(x, _each(s, "turn", 2 * np.pi)),
    "invert": lambda x, s: enhance.invert(x),
    "posterize": lambda x, s: enhance.posterize(x, _each(s, "bits").int()),
    "saturation": lambda x, s: enhance.adjust_saturation_with_gray_subtraction(x, _each(s, "factor")),
    "solarize": lambda x, s: enhance.solarize(x, _each(s, "threshold")),
    "tint": _tint,
    "cutout": _cutout,
    "gaussian_noise": lambda x, s: _augmentation(aug.RandomGaussianNoise, 0.0, s[0].fields["sigma"])(x).clamp_(0, 1),
    "pepper": lambda x, s: _specks(x, s, 0.0),
    "salt": lambda x, s: _specks(x, s, 1.0),
    "salt_and_pepper": lambda x, s: _specks(x, s, s[0].fields["salt"]),
    "box_blur": lambda x, s: filters.box_blur(x, (s[0].fields["size"],) * 2),
    "edge_map": lambda x, s: filters.sobel(color.rgb_to_grayscale(x)).repeat(1, 3, 1, 1),
    "gaussian_blur": _gaussian_blur,
    "max_filter": lambda x, s: morphology.dilation(x, _window(s)),
    "min_filter": lambda x, s: morphology.erosion(x, _window(s)),
    "percentile_filter": lambda x, s: filters.median_blur(x, (s[0].fields["size"],) * 2),
}

PEER = Peer(
    "kornia",
    ("kornia", "torch"),
    is_batched=True,
    load=load,
    unload=unload,
    pipeline=_reference_pipeline,
    # an operation without a form of its own: its matrix, or what profile kornia calls
    forms={
        **{op.name: _warp for op in OPS.values() if isinstance(op.kind, Places)},
        **{name: _equivalent(name) for name in EQUIVALENTS},
        **_FORMS,
    },
)
