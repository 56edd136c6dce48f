"""Measures the table in `kernels/costs.py`: nanoseconds of CPU a pixel. `python -m benchmarks.kernels.costs` prints it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.kernels.ops import recipe_of
from benchmarks.kernels.ours import augmented, planned
from benchmarks.kernels.pictures import SIDE, photographs
from kernels import codec
from kernels.op import Pixels, Statistic, Stencil, Whole
from kernels.ops import OPS
from kernels.recipe import Output, Recipe

_TIMES = 9
_AREA = SIDE * SIDE


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    (photo,) = photographs(1)
    found: dict[str, float] = {}

    def steps_ns(*steps: dict[str, Any]) -> float:
        recipe = Recipe.parse({"steps": list(steps)})
        (plan,) = planned(recipe, [photo])
        return ns_a_pixel(lambda: augmented(plan, photo))

    invert = {"op": "invert"}
    extra: dict[str, dict[str, Any]] = {"matrix": {"op": "rotate", "degrees": 9}, "elastic": {"op": "elastic"}}
    twice, thrice = steps_ns(invert, invert), steps_ns(invert, invert, invert)
    found["sweep"] = 2 * twice - thrice - (thrice - twice)
    for op in OPS.values():
        if isinstance(op.kind, Pixels | Statistic | Stencil | Whole):
            step = recipe_of(op.name).document()["steps"][0]
            found[op.name] = max(steps_ns(invert, step, invert) - twice, 0.0)
    found["chain"] = steps_ns(invert | {"chance": 0.0}, extra["matrix"]) - found["sweep"]
    found["elastic"] = steps_ns(extra["elastic"]) - found["sweep"] - found["chain"]
    half = {"op": "resize", "size": [SIDE // 2, SIDE // 2]}
    found["shrink"] = steps_ns({"op": "resize", "size": [SIDE // 8, SIDE // 8]}) - (found["sweep"] + found["chain"]) / 64
    found["resample"] = steps_ns(invert, half) - found["sweep"] * 1.25 - found["invert"]
    found["rearrange"] = steps_ns({"op": "hflip"})
    stepwise = Recipe.parse({"steps": [extra["matrix"], {"op": "color_jitter"}], "profile": "kornia"})
    (by_steps,) = planned(stepwise, [photo])
    found["kornia step"] = ns_a_pixel(lambda: augmented(by_steps, photo)) / len(by_steps.steps)
    for form in ("jpeg", "png", "webp"):
        output = Output.model_validate({"format": form})
        data = codec.encode(photo, output)
        found[f"decode {form}"] = ns_a_pixel(lambda data=data: codec.decode(data))  # type: ignore[misc]
        found[f"encode {form}"] = ns_a_pixel(lambda output=output: codec.encode(photo, output))  # type: ignore[misc]
    for name, value in found.items():
        sys.stdout.write(f'    "{name}": {value:.2f},\n')


def ns_a_pixel(work: Callable[[], object]) -> float:
    """The median of some times, nanoseconds of CPU a pixel of the photograph."""
    taken = []
    for _ in range(_TIMES + 1):
        before_s = time.process_time()
        for _ in range(3):
            work()
        taken.append((time.process_time() - before_s) / 3 / _AREA * 1e9)
    return float(np.median(taken[1:]))


if __name__ == "__main__":
    main()
