"""The CUDA kernels on a GPU: against its copy bandwidth and Kornia, JPEG to JPEG with each decoder, and the decode race.

    python -m benchmarks.cuda [--rounds 20] [--pictures 256] [--json FILE]

Without a GPU it says so and exits with 0. Pictures are 512 x 512, random levels or photograph cuts (extra `demo`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import kornia
import torch

from benchmarks.kernels import photographs
from kernels import codec
from kernels.codec.gpu import Codec, GpuCodecs, Name, NvJpeg, decode_with, trusted
from kernels.cuda import compiled, execute
from kernels.cuda.memory import Memory
from kernels.cuda.passage import Action
from kernels.plan import Plan, Variant, plans
from kernels.recipe import Output, Recipe
from kernels.run import run, warm
from kernels.stages import stages
from kernels.tensors import Picture, Size

SIDE = 512
STAGES: Mapping[str, list[dict[str, Any]]] = {
    "flip": [{"op": "hflip"}],
    "colour": [{"op": "brightness", "factor": 1.1}, {"op": "saturation", "factor": 1.3}, {"op": "hue", "turn": 0.05}],
    "rotation": [{"op": "rotate", "degrees": [-30, 30]}],
}
KORNIA: Mapping[str, tuple[dict[str, Any], Callable[[torch.Tensor], torch.Tensor]]] = {
    "hflip": ({"op": "hflip"}, kornia.geometry.hflip),
    "rotate": (
        {"op": "rotate", "degrees": 20},
        lambda images: kornia.geometry.rotate(images, torch.full((len(images),), 20.0, device=images.device)),
    ),
    "gamma": ({"op": "gamma", "exponent": 0.7}, lambda images: kornia.enhance.adjust_gamma(images, 0.7)),
    "hue": ({"op": "hue", "turn": 0.05}, lambda images: kornia.enhance.adjust_hue(images, 0.314)),
    "posterize": ({"op": "posterize", "bits": 3}, lambda images: kornia.enhance.posterize(images, 3)),
    "solarize": ({"op": "solarize", "threshold": 0.5}, lambda images: kornia.enhance.solarize(images, 0.5)),
    "gaussian_blur": (
        {"op": "gaussian_blur", "sigma": 2},
        lambda images: kornia.filters.gaussian_blur2d(images, (17, 17), (2.0, 2.0)),
    ),
}
PIPELINE = {
    "steps": [
        {"op": "random_resized_crop", "size": [224, 224]},
        {"op": "hflip", "chance": 0.5},
        {"op": "rotate", "degrees": [-15, 15]},
        {"op": "color_jitter"},
    ],
    "output": {"format": "jpeg", "quality": 90},
}
RACES = 200


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="The CUDA kernels on a GPU.")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each measurement")
    parser.add_argument("--pictures", type=int, default=256, help="pictures of a micro-batch")
    parser.add_argument("--json", type=Path, help="where the report is written, too")
    asked = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        sys.stdout.write("no CUDA device: nothing was measured\n")
        return 0
    text = json.dumps(measured(asked.rounds, asked.pictures, torch.device("cuda")), indent=2)
    sys.stdout.write(f"{text}\n")
    if asked.json:
        asked.json.write_text(f"{text}\n")
    return 0


def measured(rounds: int, count: int, device: torch.device) -> dict[str, Any]:
    """Everything, with what it was measured on."""
    warm(device)
    copied = copy_bandwidth(rounds, device)
    report: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "pictures": count,
        "copy_gb_per_s": copied,
        "stages": {name: stage(steps, rounds, count, device, copied) for name, steps in STAGES.items()},
        "kornia": {name: beside_kornia(*pair, rounds, count, device) for name, pair in KORNIA.items()},
    }
    files = [codec.encode(photo, Output(format="jpeg", quality=90)) for photo in photographs(32)]
    report["jpeg_to_jpeg"] = {"cpu": jpeg_to_jpeg(files, GpuCodecs(), NvJpeg(device), rounds, device)}
    names: tuple[Name, ...] = ("nvjpeg", "nvimagecodec")
    for name in names:
        config = GpuCodecs(jpeg=name)
        on_gpu = trusted(config, device)
        report["jpeg_to_jpeg"][name] = jpeg_to_jpeg(files, config, on_gpu, rounds, device) if on_gpu else "not trusted here"
    report["decode_race"] = {"decodes": RACES, "corrupted": race(files[0], device)}
    return report


def copy_bandwidth(rounds: int, device: torch.device) -> float:
    """Bytes read and written in a second by a copy within the device, in GB."""
    source = torch.zeros(1 << 28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _timed(lambda: target.copy_(source), rounds) / 1e9


def stage(steps: list[dict[str, Any]], rounds: int, count: int, device: torch.device, copied: float) -> dict[str, float]:
    """One sweep of a micro-batch already on the device: bandwidth counts each byte of picture and result once."""
    launch = resident(_planned(steps, count), count, device)
    seconds = _timed(launch, rounds)
    speed = 2 * 3 * SIDE * SIDE * count / seconds / 1e9
    return {"us_per_picture": seconds / count * 1e6, "gb_per_s": speed, "share_of_copy": speed / copied}


def resident(planned: Sequence[Plan], count: int, device: torch.device) -> Callable[[], None]:
    """What launches a micro-batch's kernels again and again, everything up on the device."""
    made, memory = compiled.kernels(interpreted=device.type == "cpu"), Memory()
    ways: list[list[Action]] = []
    for plan, pixels in zip(planned, _random(count), strict=True):
        execute._prepared(memory, stages(plan), pixels, ways)
    rounds = [execute._together(memory, group, made.tile) for group in execute.scheduled(ways)]
    memory.lay_out()
    host = torch.empty(memory.upload_bytes, dtype=torch.uint8)
    there = torch.empty(memory.bytes, dtype=torch.uint8, device=device)
    memory.write(host, there)
    there[: memory.upload_bytes].copy_(host)

    def launch() -> None:
        for together in rounds:
            together.run(made, memory)

    return launch


def beside_kornia(
    step: dict[str, Any], theirs: Callable[[torch.Tensor], torch.Tensor], rounds: int, count: int, device: torch.device
) -> dict[str, float]:
    """Our kernels from bytes to bytes beside Kornia from floats to floats, which leaves its conversions out."""
    ours_s = _timed(resident(_planned([step], count), count, device), rounds)
    images = torch.rand((count, 3, SIDE, SIDE), device=device)
    theirs_s = _timed(lambda: theirs(images), rounds)
    return {"us_per_picture": ours_s / count * 1e6, "kornia_us": theirs_s / count * 1e6, "times": theirs_s / ours_s}


def jpeg_to_jpeg(
    files: Sequence[bytes], config: GpuCodecs, on_gpu: Codec, rounds: int, device: torch.device
) -> dict[str, Any]:
    """Seconds of each stage for all files, one thread, one after another; the longest is the bottleneck."""
    recipe, encoder = Recipe.parse(PIPELINE), NvJpeg(device) if config.jpeg == "nvjpeg" else None
    spent: dict[str, list[float]] = {"decode": [], "run": [], "encode": []}
    for _ in range(rounds + 1):
        start = time.perf_counter()
        pixels = [torch.from_numpy(decode_with(on_gpu, file, "drop", codec.Limits(), config)) for file in files]
        decoded = time.perf_counter()
        variants = [Variant(key, 0, Size(*each.shape[:2])) for key, each in enumerate(pixels)]
        results = run(plans(recipe, 7, variants), [Picture(each) for each in pixels], device)
        ran = time.perf_counter()
        for result in results:
            found = result.pixels.numpy()
            _ = encoder.encode(found, 90) if encoder else codec.encode(found, recipe.output)
        ended = time.perf_counter()
        for part, seconds in (("decode", decoded - start), ("run", ran - decoded), ("encode", ended - ran)):
            spent[part].append(seconds)
    # the first round compiles and allocates
    medians = {part: statistics.median(seconds[1:]) for part, seconds in spent.items()}
    return {
        "pictures_per_s": len(files) / sum(medians.values()),
        "us_per_picture": {part: seconds / len(files) * 1e6 for part, seconds in medians.items()},
        "bottleneck": max(medians, key=lambda part: medians[part]),
    }


def race(file: bytes, device: torch.device) -> int:
    """How many of 200 pictures are damaged that nvJPEG decodes while freed memory is still being written to."""
    on_gpu, corrupted = NvJpeg(device), 0
    expected = on_gpu.decode(file)
    for _ in range(RACES):
        # memory of a picture's size, freed while a long queue of writes to it is not over
        for _ in range(8):
            busy = torch.empty((3, SIDE, SIDE), dtype=torch.uint8, device=device)
            for _ in range(50):
                busy.fill_(77)
            del busy
        corrupted += bool((on_gpu.decode(file) != expected).any())
    return corrupted


def _planned(steps: list[dict[str, Any]], count: int) -> list[Plan]:
    return plans(Recipe.parse({"steps": steps}), 7, [Variant(key, 0, Size(SIDE, SIDE)) for key in range(count)])


def _random(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (SIDE, SIDE, 3), dtype=torch.uint8, generator=generator) for _ in range(count)]


def _timed(work: Callable[[], object], rounds: int) -> float:
    """Median seconds of `work` on the device."""
    times: list[float] = []
    for _ in range(rounds + 3):
        begin, end = (torch.Event("cuda", enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(times[3:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
