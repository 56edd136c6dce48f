"""What the suites conclude from what they measured."""

from __future__ import annotations

import pytest

from benchmarks.scale.__main__ import ceilings
from benchmarks.scale.stubbed import Stage
from benchmarks.soak import slope_by_process


def test_the_dearest_part_is_full_first() -> None:
    stages = [
        Stage(1, 1000, 1.0, {"api": 400.0, "valkey": 40.0, "postgres": 200.0, "worker": 300.0}),
        Stage(2, 1000, 1.0, {"api": 500.0, "valkey": 20.0, "postgres": 200.0, "worker": 300.0}),
    ]

    rows = {row["part"]: row for row in ceilings(stages, demand=10_000)}

    assert set(rows) == {"api", "valkey", "postgres"}, "what did not run has no ceiling, and workers are what is added"
    assert rows["api"]["cpu_us"] == 450.0
    assert rows["api"]["items_per_s"] == pytest.approx(1e6 / 450, abs=0.1)
    assert rows["api"]["needed"] == 4.5
    assert min(rows.values(), key=lambda row: row["items_per_s"])["part"] == "api"


def test_a_slope_is_of_the_second_half_alone() -> None:
    warming = [(float(second), {"worker": 10.0 * second, "api": 50.0}) for second in range(100)]
    steady = [(float(second), {"worker": 1000.0 + second / 3600, "api": 50.0}) for second in range(100, 200)]

    assert slope_by_process([*warming, *steady]) == {"worker": 1.0, "api": 0.0}
    assert slope_by_process([]) == {}
