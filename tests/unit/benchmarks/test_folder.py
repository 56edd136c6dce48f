"""Where measured systems keep their files: entered when making files there costs what it usually does."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import folder
from benchmarks.folder import PATIENCE, USUAL_US, measured_folder, new_file_us


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were slept."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(folder.time, "sleep", sleep)
    monkeypatch.setattr(folder.time, "monotonic", lambda: now[0])
    return now


def test_a_new_file_takes_time_and_stays(tmp_path: Path) -> None:
    assert 0 < new_file_us(tmp_path / "new") < 100_000
    assert len(list((tmp_path / "new").iterdir())) > 100


def test_a_measurement_begins_when_new_files_are_cheap_again(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PATIENCE, "400")
    taken_us = iter([250.0, 2 * USUAL_US, USUAL_US / 2])
    monkeypatch.setattr(folder, "new_file_us", lambda path: next(taken_us))
    with measured_folder() as found:
        assert (found.new_file_us, found.path.is_dir()) == (USUAL_US / 2, True)
    assert not found.path.exists()
    assert clock == [2 * folder._PAUSE_S]
    assert "a new file takes 250 us" in capsys.readouterr().err


@pytest.mark.parametrize("patience_s", [0, 30])
def test_patience_ends(clock: list[float], monkeypatch: pytest.MonkeyPatch, patience_s: int) -> None:
    monkeypatch.setenv(PATIENCE, str(patience_s))
    monkeypatch.setattr(folder, "new_file_us", lambda path: 250.0)
    with measured_folder() as found:
        assert found.new_file_us == 250.0, "the report says what it was"
    assert clock == [patience_s]
