"""How fast an operation is: as measured on one machine, else as `augment recipe check` estimates a recipe of this one step.

`measured.json` is the newest result of `augment bench kernels --all-ops` in short, written by `docs/build.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
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
    "superpixels": "SLIC in float64: five rounds, each pixel beside nine parts",
    "voronoi": "each pixel looks for the nearest of many points, in whole numbers",
    "mean_shift_blur": "each pixel wanders to the middle of those like it, step by step",
    "cartoon": "mean_shift_blur first, then two more passes",
    "blend_alpha_simplex_noise": "simplex noise in float64: three corners, each with a gradient of its own, for each pixel",
    "beta_noise": "each value is looked up among the quantiles of a beta distribution, then put through a sine",
    "kmeans_color_quantize": "each pixel looks for the nearest colour of a palette, in whole numbers",
    "zoom_blur": "every enlarged copy of the picture is read and added up",
    "recompress": "the picture is written as a file and read again several times",
    "webp": "a WebP file is written, whose encoder tries what to leave out",
    "snowflakes": "hundreds of soft discs are drawn, one after another",
    "gravel": "hundreds of stones are drawn, one over the other",
    "thin_plate_spline": "the spline is worked out on a grid of knots, with a logarithm for each of them and each point",
    "bilateral_blur": "each neighbour is weighed by how much its colour differs",
    "glass_blur": "two blurs, and between them every pixel is replaced by one nearby, round by round",
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
    """On photographs of 512 x 512: as the benchmark runs the operation, else an estimate for its usual fields."""

    name: SpeedClass
    ns_a_pixel: float
    """Nanoseconds of CPU for each pixel of the source, passes included, codecs not."""
    by: tuple[str, ...]
    """Who computes it: compiled kernels, OpenCV or torch."""
    is_estimate: bool


@dataclass(frozen=True)
class Measured:
    """A result of a benchmark of the whole catalogue."""

    source: str
    """The result's file in the repository."""
    ns_a_pixel: Mapping[str, float]
    """By operation."""


@cache
def speed(name: str) -> Speed:
    """How fast an operation of the catalogue is."""
    found = explain(Recipe(steps=(usual(OPS[name]),)), _SIZE)
    taken_ns = measured().ns_a_pixel.get(name)
    ns = found["cost"]["pixels_us"] * 1000 / _SIZE.pixels if taken_ns is None else taken_ns
    by = dict.fromkeys(_NAMED.get(stage["backend"], stage["backend"]) for stage in found["stages"] if stage["ops"])
    return Speed(_class(ns), round(ns, 2), tuple(by), taken_ns is None)


@cache
def measured() -> Measured:
    """What was measured, on whichever machine it was."""
    return Measured(**json.loads(files("service.catalogue").joinpath("measured.json").read_text()))


def _class(ns: float) -> SpeedClass:
    return "fast" if ns < _FAST_NS else "moderate" if ns < _MODERATE_NS else "slow"


def reason(op: Op) -> str:
    """Why the operation takes its time."""
    return _REASONS.get(op.name) or _OF_KIND.get(op.kind_name, "several steps of its own")
