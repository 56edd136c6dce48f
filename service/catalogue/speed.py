"""How fast an operation is: what `augment recipe check` estimates for a recipe of this one step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from kernels.explain import explain
from kernels.op import Op
from kernels.ops import OPS
from kernels.recipe import Recipe
from kernels.tensors import Size
from service.catalogue.facts import usual

SpeedClass = Literal["fast", "moderate", "slow"]
SPEEDS: dict[SpeedClass, str] = {
    "fast": "less than 3 ns of CPU a pixel, which is what decoding a JPEG takes",
    "moderate": "3 to 12 ns a pixel",
    "slow": "more than 12 ns a pixel",
}
_FAST_NS, _MODERATE_NS = 3.0, 12.0
_SIZE = Size(512, 512)
_NAMED = {"compiled": "compiled kernels"}
_REASONS = {
    "percentile_filter": "ranks every neighbourhood, by histograms that slide along the rows",
    "elastic": "noise as large as the picture is drawn and smoothed, then the picture is read through it",
    "copy_paste": "the partner is resampled and its outlines are drawn and softened",
    "mosaic": "three more pictures are resampled",
    "mask_dropout": "objects are painted over in a pass of its own",
}
"""Why one operation is slow, where its kind does not say it."""
_OF_KIND = {
    "pixels": "much arithmetic for each pixel",
    "statistic": "the picture is measured in a pass of its own first",
    "places": "the picture is resampled",
    "field": "a displacement is computed for each pixel, then the picture is resampled",
    "stencil": "each pixel is made of many others, in a pass of its own",
    "whole": "a function of its own over the whole picture in floats; nothing is fused with it",
    "mix": "other pictures are resampled and laid in, in a pass of its own",
}


@dataclass(frozen=True)
class Speed:
    """An estimate for photographs of 512 x 512, with the operation's usual fields."""

    name: SpeedClass
    ns_a_pixel: float
    """Nanoseconds of CPU for each pixel of the source, passes included, codecs not."""
    by: tuple[str, ...]
    """Who computes it: compiled kernels, OpenCV or torch."""


@cache
def speed(name: str) -> Speed:
    """How fast an operation of the catalogue is."""
    found = explain(Recipe(steps=(usual(OPS[name]),)), _SIZE)
    ns = found["cost"]["pixels_us"] * 1000 / _SIZE.pixels
    by = dict.fromkeys(_NAMED.get(stage["backend"], stage["backend"]) for stage in found["stages"] if stage["ops"])
    return Speed("fast" if ns < _FAST_NS else "moderate" if ns < _MODERATE_NS else "slow", round(ns, 2), tuple(by))


def reason(op: Op) -> str:
    """Why the operation takes its time."""
    return _REASONS.get(op.name) or _OF_KIND.get(op.kind_name, "several steps of its own")
