"""The CPU kernels beside what they are to beat, in CPU time a picture, one thread, interleaved rounds.

    python -m benchmarks.kernels [--rounds 15] [--pictures 32] [--json FILE]

The reference pipeline P (JPEG 512 x 512 in, JPEG 224 x 224 out) beside the codec floor F (the same files decoded, the same
results encoded, nothing between), the same by the torch reference and by OpenCV step by step; and ten colour steps on
512 x 512 pixels. Every number is the median of the rounds; `spread` is from the first to the third quarter.
Pictures are distinct cuts of the photographs in scikit-image (extra `demo`).
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import opencv_steps
from kernels import codec
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Recipe
from kernels.run import run, run_reference, warm
from kernels.tensors import Picture, Size

Pixels = NDArray[np.uint8]
SEED = 7
CPU = torch.device("cpu")
REFERENCE_PIPELINE = {
    "steps": [
        {"op": "random_resized_crop", "size": [224, 224]},
        {"op": "hflip", "chance": 0.5},
        {"op": "rotate", "degrees": [-15, 15]},
        {"op": "color_jitter", "hue": [-0.1, 0.1]},
        {"op": "gaussian_blur", "sigma": [0.1, 2.0], "chance": 0.3},
    ],
    "output": {"format": "jpeg", "quality": 90},
}
TEN_COLOURS = {
    "steps": [
        {"op": "brightness", "factor": 1.15},
        {"op": "contrast", "factor": 1.2},
        {"op": "saturation", "factor": 1.25},
        {"op": "hue", "turn": 0.06},
        {"op": "gamma", "exponent": 0.85},
        {"op": "tint", "amount": 0.05},
        {"op": "solarize", "threshold": 0.9},
        {"op": "posterize", "bits": 6},
        {"op": "cutout"},
        {"op": "gaussian_noise", "sigma": 0.04},
    ],
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="The CPU kernels beside what they are to beat.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each measurement")
    parser.add_argument("--pictures", type=int, default=32, help="distinct pictures of a round")
    parser.add_argument("--json", type=Path, help="where the report is written, too")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    report = measured(asked.rounds, photographs(asked.pictures))
    text = json.dumps(report, indent=2)
    sys.stdout.write(f"{text}\n")
    if asked.json:
        asked.json.write_text(f"{text}\n")
    return 0


def measured(rounds: int, photos: Sequence[Pixels]) -> dict[str, Any]:
    """The report. Measurements that are compared take turns within a round."""
    began_s = time.perf_counter()
    warm(CPU)
    start_s = time.perf_counter() - began_s
    pipeline, colours = Recipe.parse(REFERENCE_PIPELINE), Recipe.parse(TEN_COLOURS)
    files = [codec.encode(photo, pipeline.output) for photo in photos]
    decoded = [codec.decode(file) for file in files]
    results = [of_one(run, planned, pixels) for planned, pixels in zip(planned_for(pipeline, photos), decoded, strict=True)]

    def floor() -> None:
        for file, result in zip(files, results, strict=True):
            codec.decode(file)
            codec.encode(result, pipeline.output)

    def through(change: Callable[[Plan, Pixels], Pixels]) -> Callable[[], None]:
        def whole() -> None:
            for file, planned in zip(files, planned_for(pipeline, photos), strict=True):
                codec.encode(change(planned, codec.decode(file)), pipeline.output)

        return whole

    def over(recipe: Recipe, change: Callable[[Plan, Pixels], Pixels]) -> Callable[[], None]:
        def pixels_only() -> None:
            for pixels, planned in zip(decoded, planned_for(recipe, photos), strict=True):
                change(planned, pixels)

        return pixels_only

    ways: dict[str, Callable[[Plan, Pixels], Pixels]] = {
        "kernels": lambda planned, pixels: of_one(run, planned, pixels),
        "torch_reference": lambda planned, pixels: of_one(by_reference, planned, pixels),
        "opencv_step_by_step": opencv_steps.applied,
    }
    tasks = {"floor": floor}
    tasks |= {f"pipeline.{name}": through(way) for name, way in ways.items()}
    tasks |= {f"pipeline_pixels.{name}": over(pipeline, way) for name, way in ways.items()}
    tasks |= {f"ten_colours.{name}": over(colours, way) for name, way in ways.items()}
    taken = timed(tasks, rounds, len(photos))
    ours = taken["pipeline.kernels"]
    return {
        "machine": {"processor": processor(), "python": platform.python_version(), "cores": torch.get_num_threads()},
        "versions": {name: version(name) for name in ("torch", "numba", "numpy", "opencv-python-headless", "simplejpeg")},
        "pictures": len(photos),
        "rounds": rounds,
        "kernels_start_s": round(start_s, 3),
        "cpu_us_a_picture": {name: summary(values) for name, values in taken.items()},
        "ratios": {
            "floor / pipeline": ratio(taken["floor"], ours),
            "torch reference / pipeline": ratio(taken["pipeline.torch_reference"], ours),
            "opencv / pipeline": ratio(taken["pipeline.opencv_step_by_step"], ours),
            "torch reference / ten colours": ratio(taken["ten_colours.torch_reference"], taken["ten_colours.kernels"]),
            "opencv / ten colours": ratio(taken["ten_colours.opencv_step_by_step"], taken["ten_colours.kernels"]),
        },
    }


def timed(tasks: Mapping[str, Callable[[], None]], rounds: int, pictures: int) -> dict[str, list[float]]:
    """Microseconds of CPU time a picture: one value a round; a first round, not counted, fills caches."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            before_s = time.process_time()
            task()
            if number:
                taken[name].append((time.process_time() - before_s) / pictures * 1e6)
    return taken


def photographs(count: int) -> list[Pixels]:
    """Distinct pictures of 512 x 512 pixels: parts of four photographs, at different scales."""
    from skimage import data

    rng = np.random.default_rng(SEED)
    originals = [np.asarray(getattr(data, name)())[..., :3] for name in ("astronaut", "coffee", "chelsea", "rocket")]
    pictures = []
    for number in range(count):
        original = originals[number % len(originals)]
        height, width = (int(side * rng.uniform(0.6, 1.0)) for side in original.shape[:2])
        top, left = rng.integers(0, original.shape[0] - height + 1), rng.integers(0, original.shape[1] - width + 1)
        part = np.ascontiguousarray(original[top : top + height, left : left + width])
        pictures.append(np.asarray(cv2.resize(part, (512, 512), interpolation=cv2.INTER_CUBIC), dtype=np.uint8))
    return pictures


def planned_for(recipe: Recipe, photos: Sequence[Pixels]) -> list[Plan]:
    return plans(recipe, SEED, [Variant(key, 0, Size(*photo.shape[:2])) for key, photo in enumerate(photos)])


def of_one(how: Callable[..., list[Picture]], planned: Plan, pixels: Pixels) -> Pixels:
    result: Pixels = how([planned], [Picture(torch.from_numpy(pixels))], CPU)[0].pixels.numpy()
    return result


def by_reference(planned: Sequence[Plan], pictures: Sequence[Picture], device: torch.device) -> list[Picture]:
    return run_reference(planned, pictures)


def summary(values: Sequence[float]) -> dict[str, float]:
    first, middle, third = np.percentile(values, (25, 50, 75)).tolist()
    return {"median": round(middle, 1), "spread": round(third - first, 1)}


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios round by round: what slows a whole round down cancels."""
    return round(float(np.median(np.array(one) / np.array(other))), 3)


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
