"""What is paid once, and on the host: importing, the first picture with warm caches, planning."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time

from benchmarks.kernels.measure import summary
from benchmarks.kernels.pictures import REFERENCE_PIPELINE, SIDE, SIX_STEPS
from kernels.plan import Variant, plans
from kernels.recipe import Recipe
from kernels.stages import stages
from kernels.tensors import Size

PLANNED_TOGETHER = 64
_FIRST_PICTURE = """
import json, sys, time
before_s = time.perf_counter()
from kernels import augment
imported_s = time.perf_counter()
import numpy as np
pixels = np.random.default_rng(0).integers(0, 256, ({side}, {side}, 3), dtype=np.uint8)
(made,) = augment([pixels], {recipe!r}, seed=7)
assert made.error is None
print(json.dumps([imported_s - before_s, time.perf_counter() - imported_s]))
"""


def first_picture(times: int) -> dict[str, dict[str, float]]:
    """Seconds from a started interpreter to `from kernels import augment`, and from there to the first picture through P.

    Each time in a process of its own; what numba compiled is in its cache, since this process has used it.
    """
    program = _FIRST_PICTURE.format(side=SIDE, recipe=REFERENCE_PIPELINE)
    taken = []
    for _ in range(times):
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)  # noqa: S603  # ours
        taken.append(json.loads(done.stdout))
    imports, firsts = zip(*taken, strict=True)
    return {"import_s": summary(imports, 3), "first_picture_s": summary(firsts, 3)}


def planning(rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds of CPU a picture: plans of six steps for 64 pictures at once, and cutting them into stages.

    In a process of its own, as a worker is: beside all that peers have loaded here, Python's objects lie far apart, and the
    same work takes up to twice as long.
    """
    program = (sys.executable, "-m", "benchmarks.kernels.starting", str(rounds))
    done = subprocess.run(program, stdout=subprocess.PIPE, check=True)  # noqa: S603  # ours
    planned_us, cut_us = json.loads(done.stdout)
    return {"plan_us": summary(planned_us), "stages_us": summary(cut_us)}


def _planned_here(rounds: int) -> tuple[list[float], list[float]]:
    recipe = Recipe.parse(SIX_STEPS)
    variants = [Variant(key, 0, Size(SIDE, SIDE)) for key in range(PLANNED_TOGETHER)]
    planned_us, cut_us = [], []
    # as a worker does once it has started: a collection would look through every library that is loaded
    gc.collect()
    gc.freeze()
    for number in range(10 * rounds + 1):
        before_s = time.process_time()
        made = plans(recipe, number, variants)
        planned_s = time.process_time()
        for plan in made:
            stages(plan)
        if number:
            planned_us.append((planned_s - before_s) / PLANNED_TOGETHER * 1e6)
            cut_us.append((time.process_time() - planned_s) / PLANNED_TOGETHER * 1e6)
    return planned_us, cut_us


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_planned_here(int(sys.argv[1]))))
