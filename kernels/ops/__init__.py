"""The list of operations: one line each. A duplicate name fails at start."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kernels.op import Op
from kernels.ops import (
    box_blur,
    brightness,
    channel_dropout,
    channel_swap,
    color_jitter,
    contrast,
    cutout,
    edge_enhance,
    edge_map,
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
    pepper,
    percentile_filter,
    posterize,
    rotate,
    salt,
    salt_and_pepper,
    saturation,
    solarize,
    tint,
    vflip,
)

_ALL: tuple[Op, ...] = (
    # moving pixels
    hflip.OP,
    rotate.OP,
    vflip.OP,
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
)


def _named(ops: tuple[Op, ...]) -> Mapping[str, Op]:
    named = {op.name: op for op in ops}
    if len(named) != len(ops):
        names = [op.name for op in ops]
        raise ValueError(f"two operations share a name: {sorted({name for name in names if names.count(name) > 1})}")
    return MappingProxyType(named)


OPS = _named(_ALL)
"""Every operation by name, in the order of the catalogue."""
