"""Capacity: the arithmetic from what a picture costs to what a job needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.capacity import chart
from benchmarks.capacity.__main__ import main
from benchmarks.capacity.predict import BUSY, Job, chart_points, plan
from benchmarks.capacity.profile import Profile
from benchmarks.service.floor import Cost

FREE = {"picture": 0.0, "variant": 0.0, "mib_in": 0.0, "mib_out": 0.0}
PROFILE = Profile(
    cpu_ms={
        "api": {"picture": 0.2, "variant": 0.05, "mib_in": 1.0, "mib_out": 2.0},
        "worker": {"picture": 0.3, "variant": 0.1, "mib_in": 0.0, "mib_out": 0.0},
        "postgres": {**FREE, "picture": 0.2, "variant": 0.05},
        "valkey": {**FREE, "picture": 0.02},
        "reconciler": {**FREE, "picture": 0.01},
    },
    postgres_bytes={"picture": 1000.0, "variant": 500.0},
    postgres_rows=8.0,
    idle_ms_per_s={},
    redis_bytes=200.0,
    known={"machine": {"cores": 2}},
)
COST = Cost(cpu_ms=4.0, mib_in=0.1, mib_out=0.2)


def test_a_job_needs_what_its_pictures_cost() -> None:
    made = plan(Job(pictures=3_600_000, variants=4, seconds=3600), PROFILE, COST, cores=2)

    assert made.needed_per_s == 1000
    assert made.cpu_ms["worker"] == pytest.approx(4.0 + 0.3 + 4 * 0.1)
    assert made.cpu_ms["api"] == pytest.approx(0.2 + 4 * 0.05 + 0.1 * 1.0 + 0.2 * 2.0)
    assert made.workers == 6, "4.7 s of CPU a second, at 0.8 of a core each"
    assert made.api_processes == 2
    assert made.here_per_s == pytest.approx(2000 / (4.7 + 0.9 + 0.4 + 0.02 + 0.01), rel=0.01)
    assert made.postgres_gib == pytest.approx(3_600_000 * 3000 / 2**30, rel=0.01)
    assert made.postgres_rows_per_s == 11_000
    assert made.redis_mib == pytest.approx(10_000 * 200 / 2**20, abs=0.1), "a lane holds no more"
    assert made.store_gib["results"] == pytest.approx(3_600_000 * 0.2 / 1024, rel=0.01)
    assert made.limit == "worker"
    assert made.possible


def test_a_part_with_one_process_at_work_bounds_every_number_of_workers() -> None:
    slow = dataclasses.replace(PROFILE, cpu_ms={**PROFILE.cpu_ms, "valkey": {**FREE, "picture": 2.0}})
    made = plan(Job(pictures=3_600_000, variants=1, seconds=3600), slow, COST, cores=2)

    assert not made.possible
    assert made.limit == "valkey"
    assert made.rate(10_000) == pytest.approx(BUSY * 1000 / 2.0)
    rates = [rate for _, rate in chart_points(made, 512)]
    assert rates == sorted(rates)
    assert rates[-1] == rates[-2], "the ceiling is reached"


def test_without_a_time_the_machine_decides() -> None:
    made = plan(Job(pictures=100, variants=1, seconds=None), PROFILE, COST, cores=2)

    assert made.needed_per_s == pytest.approx(made.here_per_s, rel=0.01)


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    PROFILE.save(tmp_path / "profile.json")

    assert Profile.load(tmp_path / "profile.json") == PROFILE
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match="no profile"):
        Profile.load(tmp_path / "other.json")


def test_the_chart_shows_the_rate_the_need_and_the_ceiling(tmp_path: Path) -> None:
    points = [(workers, min(100.0 * workers, 700.0)) for workers in range(1, 17)]
    chart.write_png(tmp_path / "chart.png", points, 450.0, {"valkey": 700.0}, "rates")

    image = Image.open(tmp_path / "chart.png").convert("RGB")
    colours = {colour for _, colour in image.getcolors(2**20) or ()}
    assert {(0x1F, 0x5F, 0xBF), (0xC0, 0x39, 0x2B), (0x7F, 0x8C, 0x8D)} <= colours
    lines = list(chart.lines(points, 450.0))
    assert [line.endswith("enough") for line in lines] == sorted(line.endswith("enough") for line in lines)
    assert sum(line.endswith("enough") for line in lines) > 0


@pytest.mark.parametrize(
    "words", [["--size", "512"], ["--size", "2x2"], ["--within", "8"], ["--within", "0h"], ["--pictures", "0"]]
)
def test_words_that_say_nothing_are_named(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)

    assert words[0] in capsys.readouterr().err
