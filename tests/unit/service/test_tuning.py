"""What the launcher sets for the processes it starts: each has a reason, the operator's own wins, and it takes effect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.settings import Settings, load
from service.system import tuning
from service.system.programs import api_program, worker_programs
from service.system.tuning import ALLOCATOR, API_REASONS, KEPT_MEMORY, ONE_THREAD, REASONS, Choice, choices

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "tuning.md"
ASK = """
import cv2, json, numba, torch
print(json.dumps({"cv2": cv2.getNumThreads(), "numba": numba.config.NUMBA_NUM_THREADS, "torch": torch.get_num_threads()}))
"""


def found(environment: dict[str, str], **settings: int) -> dict[str, Choice]:
    return {choice.name: choice for choice in choices(Settings(**settings), environment)}  # type: ignore[arg-type]


def test_every_variable_has_a_reason_and_its_line_in_the_documentation() -> None:
    assert REASONS.keys() == (ALLOCATOR | ONE_THREAD).keys()
    assert API_REASONS.keys() == KEPT_MEMORY.keys()
    page = PAGE.read_text()
    for name, value in (*(ALLOCATOR | ONE_THREAD).items(), *KEPT_MEMORY.items()):
        assert f"| `{name}={value}` |" in page


def test_ours_are_the_launchers_and_others_the_environments() -> None:
    mine = found({"OMP_NUM_THREADS": "3", "AUGMENT_WORKERS": "2"}, workers=2)
    assert (mine["OMP_NUM_THREADS"].value, mine["OMP_NUM_THREADS"].source) == ("3", "environment")
    assert (mine["MALLOC_MMAP_MAX_"].value, mine["MALLOC_MMAP_MAX_"].source) == ("0", "launcher")
    assert (mine["worker processes"].value, mine["worker processes"].source) == ("2", "setting")
    assert mine["API processes"].value == "1"


def test_what_is_shown_is_what_workers_are_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ALLOCATOR | ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    settings = Settings(workers=2)
    programs = worker_programs(settings)
    shown = {choice.name: choice for choice in choices(settings, os.environ)}
    given = {**os.environ, **programs[0].environment}
    for name in ALLOCATOR | ONE_THREAD:
        assert shown[name].value == given[name]
    for name in KEPT_MEMORY:
        assert shown[f"API {name}"].value == api_program(settings, 0).environment[name]
    assert str(load(programs[0].environment).threads) == shown["engine threads a worker"].value
    assert str(len(programs)) == shown["worker processes"].value


def test_libraries_have_one_thread_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    [program] = worker_programs(Settings())
    environment = {**os.environ, **program.environment}
    said = subprocess.run([sys.executable, "-c", ASK], env=environment, check=True, capture_output=True, timeout=100)
    assert json.loads(said.stdout) == {"cv2": 1, "numba": 1, "torch": 1}


@pytest.mark.parametrize("name", ["jemalloc", "tcmalloc", "mimalloc"])
def test_another_allocator_is_seen(name: str) -> None:
    allocator = found({"LD_PRELOAD": f"/usr/lib/lib{name}.so.2"})["allocator"]
    assert (allocator.value, allocator.source) == (name, "environment")


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [("always [madvise] never", False), ("[always] madvise never", False), ("always madvise [never]", True)],
)
def test_huge_pages_that_are_turned_off_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, doubtful: bool
) -> None:
    monkeypatch.setattr(tuning, "HUGE_PAGES", tmp_path / "enabled")
    (tmp_path / "enabled").write_text(text)
    mine = found({})
    assert bool(mine["GLIBC_TUNABLES"].doubt) == doubtful
    assert not mine["MALLOC_TOP_PAD_"].doubt


def test_more_threads_than_cores_are_said() -> None:
    cores = len(os.sched_getaffinity(0))
    assert not found({}, workers=2 * cores - 1)["worker processes"].doubt
    assert found({}, workers=2, threads=cores)["engine threads a worker"].doubt
    assert not found({}, workers=1, threads=cores)["engine threads a worker"].doubt


def test_the_doctor_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ALLOCATOR, *ONE_THREAD, "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENCV_FOR_THREADS_NUM", "2")
    done = CliRunner().invoke(app, ["doctor", "--only", "tuning", "--json"])
    told = {finding["topic"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert {"allocator", *ALLOCATOR, *ONE_THREAD, "API processes", "worker processes"} <= told.keys()
    assert len(told) == 1 + len(ALLOCATOR) + len(ONE_THREAD) + len(KEPT_MEMORY) + 7
    assert (told["OPENCV_FOR_THREADS_NUM"]["value"], told["OPENCV_FOR_THREADS_NUM"]["source"]) == ("2", "environment")
    assert told["GLIBC_TUNABLES"]["source"] == "launcher"
    assert all(finding["reason"] for finding in told.values())
    shown = CliRunner().invoke(app, ["doctor", "--only", "tuning"]).stdout
    assert "glibc.malloc.hugetlb=1 (from launcher): huge pages" in shown
