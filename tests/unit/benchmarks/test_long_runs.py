"""Deep queues and overload: what is concluded from what was measured."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from benchmarks import depth, overload
from benchmarks.kernels.goals import Goal
from benchmarks.service.load import Record

EXACT = depth.Counted(succeeded=100, not_succeeded=0, items=100, distinct_items=100, outputs=100, distinct_outputs=100)


def missed(bounds: list[Goal]) -> list[str]:
    return [bound.what for bound in bounds if not bound.met]


def test_paces_are_of_equal_parts_of_the_pictures() -> None:
    """Ten a second, then five; nothing was done in the first 3 s, which belong to no part."""
    done = [(float(second), max(0, 10 * (second - 3))) for second in range(9)]
    done += [(8.0 + second, 50 + 5 * second) for second in range(1, 11)]

    assert depth.paces_of(done, 100) == pytest.approx([10.0] * 5 + [5.0] * 5)


def test_depth_bounds_memory_pace_and_counts() -> None:
    peaks = dict(depth.MOST_MIB)
    assert missed(depth.bounds_of([100.0] * 10, peaks, EXACT, 100)) == []
    assert missed(depth.bounds_of([100.0] * 10, {**peaks, "api": 5000.0}, EXACT, 100)) == ["memory of api, MiB"]
    assert len(missed(depth.bounds_of([100.0] * 9 + [70.0], peaks, EXACT, 100))) == 2
    assert depth.peaks_of([{"api": 3.0}, {"api": 2.0, "worker": 9.0}]) == {"api": 3.0, "worker": 9.0}


@pytest.mark.parametrize("change", [{"distinct_outputs": 99}, {"outputs": 101}, {"not_succeeded": 1}, {"items": 99}])
def test_a_picture_that_is_missing_or_there_twice_is_seen(change: dict[str, int]) -> None:
    assert EXACT.exact(100)
    assert not dataclasses.replace(EXACT, **change).exact(100)


def flood(told: int = 600, broken: int = 0, lost: int = 0, **statuses: int) -> overload.Flood:
    counted = Counter({200: 300, 429: 600, **{int(name[1:]): times for name, times in statuses.items()}})
    return overload.Flood(Record(statuses=counted), told=told, broken=broken, lost=lost)


@pytest.mark.parametrize(
    ("came", "share", "said_s", "what"),
    [
        (flood(), 1.0, 10.0, []),
        (flood(told=599), 1.0, 10.0, ["do not say when"]),
        (flood(_500=1), 1.0, 10.0, ["other than"]),
        (flood(broken=1), 1.0, 10.0, ["other than"]),
        (flood(lost=1), 1.0, 10.0, ["were lost"]),
        (flood(), 0.9, 10.0, ["share of the peak"]),
        (flood(), 1.0, 7.0, ["multiple of the truth"]),
        (flood(), 1.0, 13.0, ["the same"]),
    ],
)
def test_what_is_refused_badly_is_seen(came: overload.Flood, share: float, said_s: float, what: list[str]) -> None:
    found = missed(overload.bounds_of(came, share, [overload.Told(said_s, 10.0, accepted=True)]))

    assert len(found) == len(what)
    assert all(part in name for part, name in zip(what, found, strict=True))


def test_goodput_is_for_each_core_that_the_load_leaves() -> None:
    peak, over = Record(pictures=1000, seconds=10.0), Record(pictures=750, seconds=10.0)

    assert overload.goodput(peak, 1.6, over, 1.2) == pytest.approx(1.0)
