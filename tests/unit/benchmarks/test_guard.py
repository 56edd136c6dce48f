"""The guard's verdict on what it measures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import guard
from kernels.version import cpu_class
from service.system.tuning import ALLOCATOR, ONE_THREAD


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """0.8 of OpenCV's time is what this class of CPU is expected to take."""
    for name, value in (ALLOCATOR | ONE_THREAD).items():
        monkeypatch.setenv(name, value)  # or it would start itself again
    path = tmp_path / "guard.json"
    path.write_text(json.dumps({cpu_class(): {"ratio": 0.8}}))
    monkeypatch.setattr(guard, "RECORDED", path)
    return path


def measures(monkeypatch: pytest.MonkeyPatch, *ratios: float) -> Iterator[float]:
    left = iter(ratios)
    monkeypatch.setattr(guard, "_ratio", lambda planted: next(left) * (1 + planted))
    return left


def test_what_is_within_the_margin_passes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    left = measures(monkeypatch, 0.9, 99.0)

    assert guard.main([]) == 0
    assert next(left) == 99.0, "one measurement is enough"


def test_one_good_measurement_of_three_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    measures(monkeypatch, 1.2, 1.1, 0.85)

    assert guard.main([]) == 0


def test_a_slowdown_of_thirty_percent_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(monkeypatch, 0.8, 0.81, 0.79)

    assert guard.main(["--plant", "0.3", "--json", str(tmp_path / "report.json")]) == 1
    assert "28% slower than recorded" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passed"] is False
    assert report["ratios"] == [1.04, 1.053, 1.027]


def test_another_class_of_cpu_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.write_text(json.dumps({"another": {"ratio": 0.1}}))
    measures(monkeypatch)

    assert guard.main([]) == 0
    assert "nothing is judged" in capsys.readouterr().out


def test_what_is_measured_is_recorded(monkeypatch: pytest.MonkeyPatch, recorded: Path) -> None:
    measures(monkeypatch, 0.7, 0.9, 0.75)

    assert guard.main(["--record"]) == 0
    assert json.loads(recorded.read_text())[cpu_class()]["ratio"] == 0.75
