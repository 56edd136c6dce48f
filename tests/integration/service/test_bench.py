"""`augment bench kernels` as a person starts it: a table, the goals, and a report for machines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", "bench", "kernels", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.long
def test_one_operation_is_measured(tmp_path: Path) -> None:
    done = bench("--op", "hflip", "--rounds", "1", "--pictures", "2", "--json", str(tmp_path / "report.json"))

    assert done.returncode == 0, done.stderr
    assert "hflip: times as fast as kornia" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["ops"]["hflip"]) >= {"kernels", "kornia", "torchvision", "opencv"}
    assert report["ops"]["hflip"]["kernels"]["cpu_us"]["median"] > 0
    assert report["allocator"]["MALLOC_MMAP_MAX_"] == "0"
    assert {goal["met"] for goal in report["goals"]} <= {True, False}
    assert report["starting"]["first_picture_s"]["median"] > 0


def test_an_unknown_operation_is_named() -> None:
    done = bench("--op", "no_such_operation")

    assert done.returncode == 1
    assert "there is no operation no_such_operation" in done.stderr
