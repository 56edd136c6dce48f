"""The list of operations: one line each. A duplicate name fails at start."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kernels.op import Op
from kernels.ops import (
    affine,
    box_blur,
    brightness,
    center_crop,
    channel_dropout,
    channel_swap,
    color_jitter,
    contrast,
    copy_paste,
    cutmix,
    cutout,
    edge_enhance,
    edge_map,
    elastic,
    gamma,
    gaussian_blur,
    gaussian_noise,
    grayscale,
    grid_mask,
    hflip,
    hue,
    impulse_noise,
    invert,
    max_filter,
    min_filter,
    mixup,
    mosaic,
    pad,
    pepper,
    percentile_filter,
    perspective,
    posterize,
    random_crop,
    random_resized_crop,
    resize,
    rotate,
    salt,
    salt_and_pepper,
    saturation,
    shear,
    solarize,
    tint,
    translate,
    vflip,
    zoom,
)

_ALL: tuple[Op, ...] = (
    # moving pixels
    affine.OP,
    center_crop.OP,
    elastic.OP,
    hflip.OP,
    pad.OP,
    perspective.OP,
    random_crop.OP,
    random_resized_crop.OP,
    resize.OP,
    rotate.OP,
    shear.OP,
    translate.OP,
    vflip.OP,
    zoom.OP,
    # changing pixels
    brightness.OP,
    channel_dropout.OP,
    channel_swap.OP,
    color_jitter.OP,
    contrast.OP,
    gamma.OP,
    grayscale.OP,
    hue.OP,
    invert.OP,
    posterize.OP,
    saturation.OP,
    solarize.OP,
    tint.OP,
    # noise and masks
    cutout.OP,
    gaussian_noise.OP,
    grid_mask.OP,
    impulse_noise.OP,
    pepper.OP,
    salt.OP,
    salt_and_pepper.OP,
    # neighbourhoods
    box_blur.OP,
    edge_enhance.OP,
    edge_map.OP,
    gaussian_blur.OP,
    max_filter.OP,
    min_filter.OP,
    percentile_filter.OP,
    # several pictures
    copy_paste.OP,
    cutmix.OP,
    mixup.OP,
    mosaic.OP,
)


def _named(ops: tuple[Op, ...]) -> Mapping[str, Op]:
    named = {op.name: op for op in ops}
    if len(named) != len(ops):
        names = [op.name for op in ops]
        raise ValueError(f"two operations share a name: {sorted({name for name in names if names.count(name) > 1})}")
    return MappingProxyType(named)


OPS = _named(_ALL)
"""Every operation by name, in the order of the catalogue."""
