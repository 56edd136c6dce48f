"""Albumentations' transforms, one picture at a time, where the package is installed."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from benchmarks.kernels.peers.peer import Peer
from kernels.plan import PlannedStep


@cache
def _transform(name: str, *arguments: tuple[str, Any]) -> Any:
    return getattr(importlib.import_module("albumentations"), name)(**dict(arguments), p=1.0)


def _form(name: str, **fields: Any) -> Any:
    """A form: the transform `name`, whose arguments are values, or functions of the planned step."""

    def applied(pixels: Any, step: PlannedStep) -> Any:
        arguments = {key: value(step) if callable(value) else value for key, value in fields.items()}
        return _transform(name, *arguments.items())(image=pixels)["image"]

    return applied


def _pair(field: str, times: float = 1.0) -> Any:
    return lambda step: (step.fields[field] * times,) * 2


PEER = Peer(
    "albumentations",
    ("albumentations",),
    is_batched=False,
    load=lambda pixels: pixels,
    unload=lambda pixels: pixels,
    forms={
        "hflip": _form("HorizontalFlip"),
        "vflip": _form("VerticalFlip"),
        "rotate": _form("Affine", rotate=_pair("degrees")),
        "affine": _form("Affine", rotate=_pair("degrees"), scale=_pair("scale"), shear=_pair("shear_x")),
        "perspective": _form("Perspective", scale=_pair("distortion", 0.25)),
        "center_crop": _form("CenterCrop", height=lambda s: s.size_out.height, width=lambda s: s.size_out.width),
        "random_crop": _form("RandomCrop", height=lambda s: s.size_out.height, width=lambda s: s.size_out.width),
        "random_resized_crop": _form("RandomResizedCrop", size=lambda s: tuple(s.size_out), scale=(0.08, 1.0)),
        "resize": _form("Resize", height=lambda s: s.size_out.height, width=lambda s: s.size_out.width),
        "elastic": _form("ElasticTransform", alpha=50.0, sigma=5.0, approximate=True),
        "color_jitter": _form(
            "ColorJitter",
            brightness=_pair("brightness"),
            contrast=_pair("contrast"),
            saturation=_pair("saturation"),
            hue=_pair("hue"),
        ),
        "gamma": _form("RandomGamma", gamma_limit=_pair("exponent", 100.0)),
        "grayscale": _form("ToGray"),
        "invert": _form("InvertImg"),
        "posterize": _form("Posterize", num_bits=lambda s: s.fields["bits"]),
        "solarize": _form("Solarize", threshold_range=_pair("threshold")),
        "channel_dropout": _form("ChannelDropout"),
        "channel_swap": _form("ChannelShuffle"),
        "cutout": _form("Erasing", scale=_pair("area")),
        "gaussian_noise": _form("GaussNoise", std_range=_pair("sigma")),
        "salt_and_pepper": _form("SaltAndPepper", amount=_pair("amount")),
        "gaussian_blur": _form("GaussianBlur", blur_limit=0, sigma_limit=_pair("sigma")),
        "percentile_filter": _form("MedianBlur", blur_limit=lambda s: (s.fields["size"],) * 2),
        "box_blur": _form("Blur", blur_limit=lambda s: (s.fields["size"] // 2 * 2 + 1,) * 2),
        "max_filter": _form("Morphological", scale=lambda s: (s.fields["size"],) * 2, operation="dilation"),
        "min_filter": _form("Morphological", scale=lambda s: (s.fields["size"],) * 2, operation="erosion"),
    },
)
