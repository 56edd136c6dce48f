"""Corruptions: the common corruptions of ImageNet-C, 19 kinds at 5 severities, as recipes.

Source: Hendrycks, Dietterich: "Benchmarking neural network robustness to common corruptions and perturbations" (ICLR 2019),
with the numbers of its programs for pictures of 224 x 224. `differs` says how a recipe is not the published corruption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from kernels.errors import RecipeInvalid
from kernels.recipe import Recipe

SEVERITIES = (1, 2, 3, 4, 5)
_SIDE = 224.0
StepDocument = Mapping[str, Any]


class Corruption(NamedTuple):
    """One kind of corruption."""

    severities: tuple[tuple[StepDocument, ...], ...]
    """Of each severity the steps that make it, as they are written in a recipe."""
    differs: str = ""
    """How it differs from what was published, as a sentence; empty if only by rounding and its random numbers."""


def corrupted(name: str, severity: int) -> Recipe:
    """The recipe of a corruption; severity 1 to 5. RecipeInvalid where there is no such one."""
    if name not in CORRUPTIONS:
        raise RecipeInvalid(f"there is no corruption {name[:80]!r}; there are {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise RecipeInvalid(f"a severity is 1 to {SEVERITIES[-1]}, not {severity}")
    return Recipe.parse({"steps": list(CORRUPTIONS[name].severities[severity - 1])})


def _each(op: str, differs: str = "", /, **columns: Sequence[Any]) -> Corruption:
    """One step, whose fields have five values each, or one for all severities."""
    rows = [{name: column[place % len(column)] for name, column in columns.items()} for place in range(5)]
    return Corruption(tuple(({"op": op, **row},) for row in rows), differs)


def _steps(differs: str, made: Callable[..., tuple[StepDocument, ...]], *rows: tuple[float, ...]) -> Corruption:
    return Corruption(tuple(made(*row) for row in rows), differs)


def _saturate(factor: float, added: float) -> tuple[StepDocument, ...]:
    shift = {"op": "hsv_shift", "hue": 0, "saturation": added, "value": 0}
    return ({"op": "saturation", "factor": factor}, *([shift] if added else []))


def _snow(amount: float, brightness: float, flakes: float) -> tuple[StepDocument, ...]:
    return {"op": "snow", "amount": amount, "brightness": brightness}, {"op": "snowflakes", "flakes": int(flakes)}


def _elastic(bend: float, sigma: float, jitter: float) -> tuple[StepDocument, ...]:
    """bend, sigma: shares of the side; jitter: how far three points, a third of it from the middle, are moved at most."""
    move, turn = [-jitter, jitter], [-60 * jitter, 60 * jitter]
    frame = {"op": "affine", "translate_x": move, "translate_y": move, "degrees": turn, "shear_x": turn}
    stretch = {"scale": [1 - 1.5 * jitter, 1 + 1.5 * jitter], "border": "reflect"}
    return ({**frame, **stretch}, {"op": "elastic", "alpha": bend, "sigma": sigma})


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        # noise
        "gaussian_noise": _each("gaussian_noise", sigma=(0.08, 0.12, 0.18, 0.26, 0.38)),
        "shot_noise": _each(
            "shot_noise", "Poisson's distribution is replaced by a normal one.", photons=(60, 25, 12, 5, 3)
        ),
        "impulse_noise": _each(
            "impulse_noise",
            "Whole pixels are replaced by any colour, not single values by black or white.",
            amount=(0.03, 0.06, 0.09, 0.17, 0.27),
        ),
        "speckle_noise": _each("speckle_noise", sigma=(0.15, 0.2, 0.35, 0.45, 0.6)),
        # blur
        "defocus_blur": _each(
            "defocus_blur", "The disk's edge is a ramp.", radius=(3, 4, 6, 8, 10), softness=(0.5, 1, 1, 1, 1)
        ),
        "glass_blur": _each(
            "glass_blur",
            "Pixels are copied from nearby, not swapped one after the other.",
            sigma=(0.7, 0.9, 1, 1.1, 1.5),
            delta=(1, 2, 2, 3, 4),
            rounds=(2, 1, 3, 2, 2),
        ),
        "motion_blur": _each(
            "motion_blur",
            "The line fades evenly towards one end, not as a Gaussian.",
            size=(9, 13, 21, 31, 37),
            degrees=([-45, 45],),
            direction=(1,),
        ),
        "zoom_blur": _each("zoom_blur", factor=(1.1, 1.15, 1.2, 1.24, 1.3), step=(0.01, 0.01, 0.02, 0.02, 0.03)),
        "gaussian_blur": _each("gaussian_blur", sigma=(1, 2, 3, 4, 6)),
        # weather
        "snow": _steps(
            "The layer has round flakes, not streaks, and the ground whitens by lightness alone.",
            _snow,
            *((0.2, 1.3, 300), (0.3, 1.5, 500), (0.4, 1.7, 800), (0.5, 1.9, 1200), (0.6, 2.2, 2000)),
        ),
        "frost": _each(
            "frost",
            "The ice is made by arithmetic, where photographs of ice were laid over the picture.",
            amount=(0.3, 0.45, 0.6, 0.75, 0.9),
            opacity=(0.5, 0.6, 0.7, 0.8, 0.9),
        ),
        "fog": _each(
            "fog",
            "Thin air is mixed in by a share, not added and rescaled by the picture's largest value.",
            density=(0.3, 0.4, 0.5, 0.6, 0.75),
            patchiness=(0.5,),
        ),
        "spatter": _each(
            "spatter",
            "The blobs' cover is given, where a threshold of noise decided it.",
            cover=(0.1, 0.15, 0.25, 0.3, 0.4),
            opacity=(0.7, 0.7, 0.7, 0.9, 0.95),
            liquid=("water", "water", "water", "mud", "mud"),
        ),
        # light and colour
        "brightness": _each("hsv_shift", hue=(0,), saturation=(0,), value=(0.1, 0.2, 0.3, 0.4, 0.5)),
        "contrast": _each(
            "contrast",
            "Values are drawn to the mean of the grey picture, not each channel's to its own.",
            factor=(0.4, 0.3, 0.2, 0.1, 0.05),
        ),
        "saturate": _steps(
            "The distance to grey is multiplied, not the saturation, and at severity 5 by 10, not by 20.",
            _saturate,
            *((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (10, 0.2)),
        ),
        # what files and screens do
        "elastic": _steps(
            "The field is bounded, so that nothing folds over itself, and its waves are at least 2% of the side long.",
            _elastic,
            *((0.02, 0.5, 24.4 / _SIDE), (0.06, 0.08, 48.8 / _SIDE)),
            *((0.013, 0.02, 4.9 / _SIDE), (0.019, 0.02, 4.9 / _SIDE), (0.032, 0.02, 4.9 / _SIDE)),
        ),
        "pixelate": _each("downscale", factor=(0.6, 0.5, 0.4, 0.3, 0.25), down=("area",), up=("nearest",)),
        "jpeg": _each("jpeg", quality=(25, 18, 15, 10, 7)),
    }
)
"""Every corruption by name, those first that the paper calls noise, then blur, weather, colour and digital."""
