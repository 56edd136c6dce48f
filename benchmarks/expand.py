"""The main job at size: many distinct pictures through `augment expand` on this machine, timed and accounted for.

    python -m benchmarks.expand [--pictures 2000] [--variants 2] [--kill] [--json FILE]

Prints pictures per second, sizes of micro-batches, RQ jobs, time by stage, CPU time by process, rows, and whether any
picture was sent twice. `--kill` kills the command (SIGKILL) half way through and runs it again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import httpx2
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from pydantic import JsonValue

from benchmarks.folder import measured_folder
from benchmarks.machine import facts
from benchmarks.measured_system import measured_system
from benchmarks.processes import cpu_by_process, difference
from service.client import Client

RECIPE = {
    "steps": [
        {"op": "random_resized_crop", "size": [224, 224], "scale": [0.5, 1.0]},
        {"op": "hflip", "chance": 0.5},
        {"op": "rotate", "degrees": [-15, 15]},
        {"op": "color_jitter"},
        {"op": "gaussian_blur", "sigma": [0.1, 2.0], "chance": 0.3},
    ],
    "output": {"format": "jpeg", "quality": 90},
}
SIDE = 256


def main(arguments: Sequence[str]) -> int:
    asked = _arguments(arguments)
    with measured_folder() as folder:
        report = measure(folder.path, asked.pictures, asked.variants, kill=asked.kill)
    for name, value in report.items():
        sys.stdout.write(f"{name:<28}{json.dumps(value)}\n")
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if report["outputs"] == asked.pictures * asked.variants and report["failed"] == 0 else 1


def measure(home: Path, pictures: int, variants: int, *, kill: bool) -> dict[str, JsonValue]:
    """One expansion from start to end; every number of the report is of it alone."""
    photos, recipe, out = home / "photos", home / "recipe.json", home / "out"
    draw_pictures(photos, pictures)
    recipe.write_text(json.dumps(RECIPE))
    with measured_system(home) as system, Client(system.url) as client:
        words = [
            sys.executable,
            "-m",
            "service",
            "expand",
            str(photos),
            "--recipe",
            str(recipe),
            "--out",
            str(out),
            "--json",
        ]
        words += ["--variants", str(variants), "--seed", "7", "--url", system.url]
        known = facts(("torch", "numba", "rq"))
        before_s, cpu_before, own_before_s = time.monotonic(), cpu_by_process(system.pid), _cpu_of_children()
        reached = _killed_half_way(words, out, pictures * variants) if kill else None
        ended = subprocess.run(words, stdout=subprocess.PIPE, check=False)  # noqa: S603  # our own command
        wall_s, cpu_after = time.monotonic() - before_s, cpu_by_process(system.pid)
        own_s = _cpu_of_children() - own_before_s
        summary: dict[str, JsonValue] = json.loads(ended.stdout)
        time.sleep(3.0)  # workers announce their counts now and then
        counted = _metrics(system.url)
        sent = Counter(item.custom_id for batch in client.batches() for item in client.items(batch.id))
        rows = sum(1 for batch in client.batches() for _ in client.outputs(batch.id))
    lines = sum(1 for _ in (out / "manifest.jsonl").open())
    cpu = difference(cpu_after, cpu_before)
    cpu["expand"] = round(own_s, 2)
    return {
        "pictures": pictures,
        "variants": variants,
        "pixels_a_side": SIDE,
        "failed": summary["failed"],
        "outputs": summary["outputs"],
        "rows": rows,
        "manifest_lines": lines,
        "sent_more_than_once": sum(times > 1 for times in sent.values()),
        "killed_at_outputs": reached,
        "pictures_per_s": None if kill else summary["pictures_per_s"],
        "expand_s": summary["elapsed_s"],
        "wall_s": round(wall_s, 2),
        **counted,
        "cpu_s": dict(cpu),
        "cpu_ms_per_picture": round(1000 * sum(cpu.values()) / pictures, 2),
        **known,
    }


def draw_pictures(folder: Path, count: int) -> None:
    """`count` distinct JPEG pictures, with soft shapes and some grain, as photographs have."""
    folder.mkdir()
    for number in range(count):
        random = np.random.default_rng(number)
        soft = cv2.resize(random.integers(0, 256, (8, 8, 3), dtype=np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        grain = random.integers(-8, 9, (SIDE, SIDE, 3))
        pixels = np.clip(soft.astype(np.int16) + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:05}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])


def _cpu_of_children() -> float:
    """CPU seconds of this process's children that have ended; the system is none of them while it runs."""
    times = os.times()
    return times.children_user + times.children_system


def _killed_half_way(words: Sequence[str], out: Path, outputs: int) -> int:
    """Runs the command until half of its results lie there, kills it; how many did."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as running:  # noqa: S603  # our own command
        while running.poll() is None and sum(1 for _ in out.glob("*/*.jpg")) < outputs // 2:
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
    return sum(1 for _ in out.glob("*/*.jpg"))


def _metrics(url: str) -> dict[str, JsonValue]:
    text = httpx2.get(f"{url}/metrics", trust_env=False).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    buckets = {str(s.labels["le"]): s.value for s in samples if s.name == "augment_micro_batch_items_bucket"}
    sizes, before = {}, 0.0
    for edge, value in buckets.items():
        if value > before:
            sizes[f"up to {float(edge):g}"] = int(value - before)
        before = value
    stages = {s.labels["stage"]: round(s.value, 2) for s in samples if s.name == "augment_stage_seconds_total"}
    return {
        "micro_batches": int(before),
        "micro_batch_items": dict(sizes),
        "rq_jobs": int(sum(s.value for s in samples if s.name == "augment_jobs_total")),
        "stage_s": dict(stages),
    }


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.expand", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--variants", type=int, default=2)
    parser.add_argument("--kill", action="store_true", help="kill the command half way and run it again")
    parser.add_argument("--json", type=Path, help="write the report here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
