"""How sharp a chain of warps leaves a picture: the fused profile and Kornia step by step, against supersampled truth.

    python -m benchmarks.sharpness [--draws 8] [--json FILE] [--picture FILE]

Photographs of scikit-image (extra `demo`) are averaged to a quarter of their sides; both profiles run the same 1 to 4
warps, with the same draws, on those. The truth is read from the photograph itself, at 8 x 8 points of each output pixel.
PSNR in decibels: higher is closer to the truth; `spread` is from the first to the third quarter. --picture draws crops of
one chain of four beside each other.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.truth import Levels, averaged, psnr, shown
from kernels.chain import chain
from kernels.plan import Plan, plan
from kernels.recipe import Recipe
from kernels.run import run
from kernels.tensors import Picture, Size
from kernels.version import engine_version

Pixels = NDArray[np.uint8]
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "immunohistochemistry", "retina", "rocket")
FINER = 4
POINTS = 8
SEED = 7
WARPS: tuple[Mapping[str, Any], ...] = (
    {"op": "rotate", "degrees": [-30, 30], "border": "reflect"},
    {"op": "perspective", "distortion": [0.05, 0.2], "border": "reflect"},
    {"op": "affine", "degrees": [-15, 15], "scale": [1.0, 1.2], "border": "reflect"},
    {"op": "shear", "x": [-10, 10], "y": [-5, 5], "border": "reflect"},
)
PROFILES = ("fused", "kornia")
_SHOWN, _ABOVE_THE_MIDDLE, _ENLARGED, _TITLE = 72, 24, 4, 22
"""Of the picture for people: side of a crop, how far above the middle it is cut, size of a pixel, height of a title."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Sharpness of chained warps, fused and step by step.")
    parser.add_argument("--draws", type=int, default=8, help="draws of each chain on each photograph")
    parser.add_argument("--json", type=Path, help="where the report is written, too")
    parser.add_argument("--picture", type=Path, help="where crops of one chain are drawn")
    asked = parser.parse_args(arguments)
    report = measured(asked.draws, {name: photograph(name) for name in PHOTOGRAPHS})
    sys.stdout.write(f"{table(report)}\n")
    if asked.json:
        asked.json.write_text(f"{json.dumps(report, indent=2)}\n")
    if asked.picture:
        side_by_side(photograph("astronaut")).save(asked.picture, quality=92, subsampling=0)
    return 0


def measured(draws: int, photographs: Mapping[str, Pixels]) -> dict[str, Any]:
    """The report: for each number of warps, every photograph's PSNRs and the median and spread of all."""
    chains = []
    for count in range(1, len(WARPS) + 1):
        found = {name: [_compared(pixels, count, draw) for draw in range(draws)] for name, pixels in photographs.items()}
        every = [pair for pairs in found.values() for pair in pairs]
        chains.append(
            {
                "warps": count,
                **{profile: _summary([pair[place] for pair in every]) for place, profile in enumerate(PROFILES)},
                "fused_minus_kornia": _summary([fused - kornia for fused, kornia in every]),
                "fused_is_closer": sum(fused > kornia for fused, kornia in every),
                "pairs": len(every),
                "photographs": {
                    name: {
                        profile: round(median(pair[place] for pair in pairs), 2) for place, profile in enumerate(PROFILES)
                    }
                    for name, pairs in found.items()
                },
            }
        )
    return {
        "unit": "dB PSNR against the supersampled truth",
        "engine_version": engine_version("cpu"),
        "versions": {name: version(name) for name in ("torch", "kornia", "numpy", "numba", "scikit-image")},
        "draws": draws,
        "finer": FINER,
        "points": POINTS,
        "recipe": list(WARPS),
        "chains": chains,
    }


def table(report: Mapping[str, Any]) -> str:
    """The report's medians and spreads as a Markdown table."""
    lines = ["| warps | fused | Kornia step by step | fused is closer by | in |", "| --- | --- | --- | --- | --- |"]
    for row in report["chains"]:
        cells = [_cell(row[name]) for name in (*PROFILES, "fused_minus_kornia")]
        lines.append(f"| {row['warps']} | {' | '.join(cells)} | {row['fused_is_closer']} of {row['pairs']} |")
    return "\n".join(lines)


def side_by_side(photo: Pixels) -> Image.Image:
    """A part of a chain of four warps: the truth, Kornia step by step, fused; each pixel enlarged to a square."""
    source = averaged(photo, FINER)
    plans = {profile: planned(len(WARPS), profile, source, 1) for profile in PROFILES}
    panels = {
        "truth": np.rint(truth(plans["fused"], photo)).astype(np.uint8),
        "Kornia, step by step": made(plans["kornia"], source),
        "fused": made(plans["fused"], source),
    }
    side = _SHOWN * _ENLARGED
    sheet = Image.new("RGB", (len(panels) * side + (len(panels) - 1) * 8, side + _TITLE), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (title, pixels) in enumerate(panels.items()):
        top, left = (pixels.shape[0] - _SHOWN) // 2 - _ABOVE_THE_MIDDLE, (pixels.shape[1] - _SHOWN) // 2
        crop = Image.fromarray(pixels[top : top + _SHOWN, left : left + _SHOWN])
        sheet.paste(crop.resize((side, side), Image.Resampling.NEAREST), (place * (side + 8), _TITLE))
        pen.text((place * (side + 8) + 2, 2), title, "black", font_size=15)
    return sheet


def photograph(name: str) -> Pixels:
    """A photograph that ships inside scikit-image."""
    from skimage import data

    return np.ascontiguousarray(getattr(data, name)()[..., :3])


def planned(warps: int, profile: str, source: Pixels, draw: int) -> Plan:
    recipe = Recipe.parse({"steps": list(WARPS[:warps]), "profile": profile})
    return plan(recipe, SEED, draw, 0, Size(*source.shape[:2]))


def made(plan: Plan, source: Pixels) -> Pixels:
    result: Pixels = run([plan], [Picture(torch.from_numpy(source))], torch.device("cpu"))[0].pixels.numpy()
    return result


def truth(plan: Plan, photo: Pixels) -> Levels:
    """What the plan's warps should show, read from the photograph that its picture was averaged from."""
    rows, columns = plan.size_in
    fine = photo[: rows * FINER, : columns * FINER].astype(np.float64)
    return shown(chain(plan.steps), fine, POINTS, FINER)


def _compared(photo: Pixels, warps: int, draw: int) -> tuple[float, float]:
    source = averaged(photo, FINER)
    plans = [planned(warps, profile, source, draw) for profile in PROFILES]
    expected = truth(plans[0], photo)
    fused, kornia = (psnr(made(each, source), expected) for each in plans)
    return fused, kornia


def _summary(values: Sequence[float]) -> dict[str, Any]:
    low, middle, high = (round(value, 2) + 0.0 for value in quantiles(values, n=4, method="inclusive"))
    return {"median": middle, "spread": [low, high]}


def _cell(summary: Mapping[str, Any]) -> str:
    low, high = summary["spread"]
    return f"{summary['median']:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
