"""Goals: what the kernels are to reach, and whether they did. Every ratio is taken within one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.kernels.measure import Basis, Taken, ratio

SLOW_IN_KORNIA = (
    "black_hat",
    "color_jitter",
    "cutout",
    "elastic",
    "equalize",
    "gaussian_blur",
    "hue",
    "max_filter",
    "min_filter",
    "morph_close",
    "morph_gradient",
    "morph_open",
    "percentile_filter",
    "posterize",
    "resize",
    "solarize",
    "top_hat",
)
"""Operations whose float form does many passes, or windows value by value: the kernels are to be 5 times as fast."""
EVERYDAY = (
    "hflip",
    "vflip",
    "crop",
    "random_resized_crop",
    "rotate",
    "affine",
    "perspective",
    "brightness",
    "contrast",
    "saturation",
    "grayscale",
    "gamma",
    "gaussian_noise",
    "sharpness",
    *SLOW_IN_KORNIA,
)
"""What is measured where nothing else is asked for: what most recipes are made of, and what is to be 5 times as fast."""
FIRST_PICTURE_S = 1.0
PLAN_US = 20.0
_FLOOR, _RECIPES = (
    0.65,
    {
        ("pipeline", "kornia"): 4.5,
        ("ten_colours", "kornia"): 10.0,
        ("ten_colours", "opencv"): 1.8,
    },
)


@dataclass(frozen=True)
class Goal:
    """One number that is to be at least, or at most, another."""

    what: str
    goal: float
    measured: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.measured <= self.goal if self.at_most else self.measured >= self.goal

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        sign = "<=" if self.at_most else ">="
        return {"what": self.what, "goal": f"{sign} {self.goal:g}", "measured": self.measured, "met": self.met}


def of_recipes(taken: Mapping[str, Mapping[str, Taken]], basis: Basis) -> list[Goal]:
    """The goals of whole recipes."""
    pipeline = taken["pipeline"]
    goals = [Goal("P: rate as a share of the codec floor F", _FLOOR, ratio(pipeline["floor"], pipeline["kernels"], basis))]
    for (recipe, peer), least in _RECIPES.items():
        if peer in taken[recipe]:
            times = ratio(taken[recipe][peer], taken[recipe]["kernels"], basis)
            goals.append(Goal(f"{recipe.replace('_', ' ')}: times as fast as {peer}", least, times))
    return goals


def of_ops(taken: Mapping[str, Mapping[str, Taken]], basis: Basis) -> list[Goal]:
    """The goals of single operations: as fast as Kornia's float form, whose conversions are not even counted, and scipy."""
    return [
        Goal(
            f"{name}: times as fast as {peer}",
            5.0 if peer == "kornia" and name in SLOW_IN_KORNIA else 1.0,
            ratio(ways[peer], ways["kernels"], basis),
        )
        for name, ways in taken.items()
        for peer in ("kornia", "scipy")
        if peer in ways
    ]


def of_starting(first: Mapping[str, Any], planned: Mapping[str, Any]) -> list[Goal]:
    """The goals of what is paid once, and on the host."""
    return [
        Goal("first picture after import, s", FIRST_PICTURE_S, first["first_picture_s"]["median"], at_most=True),
        Goal("planning six steps, us a picture", PLAN_US, planned["plan_us"]["median"], at_most=True),
    ]
