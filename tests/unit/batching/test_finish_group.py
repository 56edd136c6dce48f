"""Group: when outcomes are committed together."""

from __future__ import annotations

import pytest

from batching.finishing import MOST_OUTPUTS, MOST_URGENT_WAIT_S, MOST_WAIT_S, Finished, Group
from batching.items import Done, Failed, LaneKey, Priority, Stored, Taken
from tests.helpers.ledger import make_item


def finished(outputs: int = 1, priority: Priority = "bulk") -> Finished:
    item = make_item(priority=priority)
    stored = tuple(Stored(variant, "key", 1, "0" * 64, 1, 1, "png", (), None) for variant in range(outputs))
    outcome = Done(item, stored, "cpu", "v") if outputs else Failed(item, "image_corrupt", "it is")
    return Finished(Taken(LaneKey(priority, "t"), "1-0", item.id, 1, ""), outcome)


def test_an_empty_group_is_never_due() -> None:
    assert Group().due_in_s(0.0, more_to_come=False) is None


def test_bulk_outcomes_wait_for_more() -> None:
    group = Group()
    group.add(finished(), now_s=10.0)
    group.add(finished(), now_s=10.05)
    assert group.due_in_s(10.0, more_to_come=True) == pytest.approx(MOST_WAIT_S)
    assert group.due_in_s(10.06, more_to_come=True) == pytest.approx(MOST_WAIT_S - 0.06)
    assert group.due_in_s(11.0, more_to_come=True) == 0.0


def test_nothing_more_to_come_makes_it_due() -> None:
    group = Group()
    group.add(finished(), now_s=0.0)
    assert group.due_in_s(0.0, more_to_come=False) == 0.0


def test_an_interactive_outcome_makes_it_due() -> None:
    group = Group()
    group.add(finished(), now_s=0.0)
    group.add(finished(priority="interactive"), now_s=0.0)
    assert group.due_in_s(0.0, more_to_come=True) == 0.0


def test_an_interactive_outcome_waits_a_moment_for_the_crowd_behind_it() -> None:
    group = Group()
    group.add(finished(), now_s=0.0)
    group.add(finished(priority="interactive"), now_s=1.0)
    assert group.urgent == 1
    assert group.due_in_s(1.0, more_to_come=True, crowded=True) == pytest.approx(MOST_URGENT_WAIT_S)
    assert group.due_in_s(1.0 + MOST_URGENT_WAIT_S, more_to_come=True, crowded=True) == 0.0
    assert group.due_in_s(1.0, more_to_come=False, crowded=True) == 0.0


@pytest.mark.parametrize("outputs", [0, 1, 8])
def test_enough_outputs_make_it_due(outputs: int) -> None:
    group = Group()
    needed = MOST_OUTPUTS // max(1, outputs)  # a failed item counts as one output
    for _ in range(needed - 1):
        group.add(finished(outputs), now_s=0.0)
    assert group.due_in_s(0.0, more_to_come=True) == MOST_WAIT_S
    group.add(finished(outputs), now_s=0.0)
    assert group.due_in_s(0.0, more_to_come=True) == 0.0


def test_taking_empties_the_group_and_its_reasons() -> None:
    group = Group()
    member = finished(priority="interactive")
    group.add(member, now_s=0.0)
    assert group.take() == [member]
    group.add(finished(), now_s=5.0)
    assert group.due_in_s(5.0, more_to_come=True) == pytest.approx(MOST_WAIT_S)
