"""When to try again."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from service.client.retries import Clock, Patience, retry_after_s


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self.sleep, lambda: 1.0)


def test_pauses_double_up_to_a_limit_and_end_with_patience() -> None:
    fake = FakeClock()
    patience = Patience(40.0, fake.clock)
    while patience.pause():
        pass
    assert fake.slept == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8])


def test_retry_after_is_honoured_and_spread() -> None:
    fake = FakeClock()
    assert Patience(60.0, fake.clock).pause(7.0)
    assert fake.slept == pytest.approx([7.5])


def test_a_wait_beyond_patience_is_refused_at_once() -> None:
    fake = FakeClock()
    assert not Patience(60.0, fake.clock).pause(61.0)
    assert fake.slept == []


@pytest.mark.parametrize(
    ("header", "expected"), [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("", None), (None, None), ("soon", None)]
)
def test_retry_after_as_a_number(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header) == expected


def test_retry_after_as_a_date() -> None:
    assert retry_after_s(formatdate(0, usegmt=True)) == 0.0
