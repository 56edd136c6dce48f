"""`augment expand` on a running system: killed half way and run again, nothing is missing and nothing was done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Up
from tests.helpers.http import jpeg, pixels

RECIPE = """
steps:
  - {op: random_resized_crop, size: [224, 224], scale: [0.5, 1.0]}
  - {op: hflip, chance: 0.5}
  - {op: rotate, degrees: [-15, 15]}
  - {op: color_jitter, brightness: [0.8, 1.2], contrast: [0.8, 1.2], saturation: [0.8, 1.2], hue: [-0.05, 0.05]}
  - {op: gaussian_blur, sigma: [0.1, 2.0], chance: 0.3}
output: {format: jpeg, quality: 90}
"""
VARIANTS = 2


def start(up: Up, folder: Path) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "service", "expand", str(folder / "photos"), "--recipe", str(folder / "recipe.yaml"))
    return subprocess.Popen(
        (*command, "--variants", str(VARIANTS), "--seed", "7", "--out", str(folder / "out"), "--json", "--url", up.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


def batches(up: Up) -> list[dict[str, Any]]:
    """All batches of the system, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    with up.client() as client:
        while True:
            page = client.get("/v1/batches", params={"cursor": cursor} if cursor else {}).json()
            found += page["batches"]
            cursor = page["next"]
            if cursor is None:
                return found


def finished(folder: Path) -> int:
    """Results that lie in the folder."""
    return sum(1 for _ in (folder / "out").rglob("*.jpg"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.long)])
def test_killed_half_way(count: int, tmp_path: Path) -> None:
    for number in range(count):
        place = tmp_path / "photos" / f"{number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05}.jpg").write_bytes(jpeg(256, 256, seed=number))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    up = Up(tmp_path / "data")
    try:
        up.ready()
        first = start(up, tmp_path)
        deadline_s = time.monotonic() + 400
        while not finished(tmp_path):
            assert first.poll() is None, first.communicate()
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        first.kill()
        first.communicate()
        assert first.returncode == -signal.SIGKILL
        before = finished(tmp_path)
        assert before < count * VARIANTS, "it was killed too late to show anything"
        begun_s = time.monotonic()
        second = start(up, tmp_path)
        told, said = second.communicate(timeout=600)
        assert second.returncode == 0, said
        summary = json.loads(told)
        took_s = time.monotonic() - begun_s
        assert (summary["pictures"], summary["outputs"], summary["failed"]) == (count, count * VARIANTS, 0), summary
        manifest = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
        assert len(manifest) == count * VARIANTS, f"after {took_s:.0f} s"
        assert len({(line["custom_id"], line["variant"]) for line in manifest}) == count * VARIANTS
        assert finished(tmp_path) == count * VARIANTS
        sample = next(iter(sorted((tmp_path / "out").rglob("*.jpg"))))
        assert pixels(sample.read_bytes()).shape == (224, 224, 3)
        # what the service was sent, over both runs: every picture once
        made = batches(up)
        assert sum(batch["counts"]["total"] for batch in made) == count
        assert sum(batch["counts"]["succeeded"] for batch in made) == count
        assert sum(batch["outputs"]["done"] for batch in made) == count * VARIANTS
    finally:
        up.stop()
