"""`python -m service.demo`, which is what `make demo` runs after installing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from service.catalogue.picture import sample

ROOT = Path(__file__).parents[2]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "service.demo", *arguments]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=290)


def still_running(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (line := (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")):
                found.append(line)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.timeout(300)
def test_a_folder_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number, size in enumerate([(360, 240), (50, 120), (100, 100)]):
        sample().resize(size).save(tmp_path / "mine" / f"{number}.png")
    ended = demo(tmp_path, "mine")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 of 3 pictures, 24 results" in ended.stdout
    assert "pictures/s" in ended.stdout
    assert "everything is stopped" in ended.stdout
    results = tmp_path / "demo-out" / "results"
    lines = [json.loads(line) for line in (results / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 24
    for line in lines:
        with Image.open(results / line["path"]) as picture:
            assert picture.size == (384, 384)
    with Image.open(tmp_path / "demo-out" / "contact-sheet.png") as sheet:
        assert sheet.width > 8 * 200
    assert still_running(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    ended = demo(tmp_path, "nowhere")
    assert ended.returncode == 2
    assert "nowhere is not a folder" in ended.stdout


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_photographs_of_scikit_image(tmp_path: Path) -> None:
    first, second = demo(tmp_path), demo(tmp_path)
    assert first.returncode == second.returncode == 0, first.stdout + first.stderr
    assert "16 of 16 pictures, 128 results" in second.stdout
