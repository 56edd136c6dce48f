"""Rates and time left."""

from __future__ import annotations

import pytest

from service.expansion.tally import Tally


class FakeTime:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rate_and_time_left_count_what_this_run_has_finished() -> None:
    time = FakeTime()
    tally = Tally(time)
    tally.begin(total=100, done=20, failed=0)
    assert tally.reading().left_s is None
    time.now_s += 4.0
    tally.running(1, done=15, failed=1)
    tally.finished(2, done=4, failed=0)
    now = tally.reading()
    assert (now.done, now.failed, now.finished, now.before) == (39, 1, 40, 20)
    assert now.rate == pytest.approx(5.0)
    assert now.left_s == pytest.approx(12.0)


def test_a_finished_chunk_replaces_what_was_said_while_it_ran() -> None:
    tally = Tally(FakeTime())
    tally.begin(10, 0, 0)
    tally.running(1, done=5, failed=0)
    tally.finished(1, done=9, failed=1)
    assert (tally.reading().done, tally.reading().failed) == (9, 1)


def test_the_rate_is_that_of_late() -> None:
    time = FakeTime()
    tally = Tally(time)
    tally.begin(10_000, 0, 0)
    for second in range(100):
        time.now_s += 1.0
        tally.finished(second, done=100 if second < 50 else 10, failed=0)
        tally.reading()
    assert tally.reading().rate == pytest.approx(10.0, rel=0.1)
