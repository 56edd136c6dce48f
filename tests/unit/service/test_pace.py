"""How fast items get finished, as refusals tell it."""

from __future__ import annotations

import pytest

from service.depth import Pace


def paced(finished: list[int], seconds: float) -> Pace:
    pace = Pace()
    for number in finished:
        pace = pace.after(number, seconds)
    return pace


def test_nothing_is_known_at_first() -> None:
    assert Pace().per_s == 0.0
    assert Pace().after(0, 1.0).per_s == 0.0


def test_items_that_end_in_groups_have_a_steady_pace() -> None:
    """64 at once, then nothing for a while: 320 a second, read every 50 ms."""
    groups = [64, 0, 0, 0] * 40
    for end in range(40, len(groups)):
        assert paced(groups[:end], 0.05).per_s == pytest.approx(320, rel=0.1)


def test_a_change_is_seen_within_seconds() -> None:
    pace = paced([100] * 60, 0.5)
    assert pace.per_s == pytest.approx(200)
    for _ in range(30):
        pace = pace.after(10, 0.5)
    assert pace.per_s == pytest.approx(20, rel=0.5)
