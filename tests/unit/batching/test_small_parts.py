"""Leases, failpoints, notices, pauses, telemetry."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from batching import failpoints
from batching.events import Notice, parse_notice
from batching.inflight import AHEAD, MOST_ASIDE, InFlight, Room
from batching.items import Budget, LaneKey, Priority, Taken
from batching.leases import SURE_PART, Leases
from batching.retries import LONGEST_S, back_off
from batching.telemetry import Tally
from tests.helpers.ledger import make_item


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm({})


def test_a_lease_is_ours_until_it_may_have_lapsed() -> None:
    leases, item = Leases(lease_s=10.0), make_item()
    leases.add([item], since_s=100.0)
    assert leases.ours(item, 100.0 + 10 * SURE_PART - 0.1)
    assert not leases.ours(item, 100.0 + 10 * SURE_PART + 0.1)


def test_renewal_moves_a_lease_on_and_what_is_not_renewed_is_lost() -> None:
    leases, kept, lost = Leases(lease_s=10.0), make_item(), make_item()
    leases.add([kept, lost], since_s=0.0)
    assert leases.renew([kept, lost], {kept.id}, since_s=6.0) == 1
    assert leases.ours(kept, 12.0)
    assert not leases.ours(lost, 6.0)


def test_a_late_renewal_says_nothing_of_a_newer_lease() -> None:
    leases, item = Leases(lease_s=10.0), make_item()
    newer = replace(item, token=2)
    leases.add([newer], since_s=0.0)
    assert leases.renew([item], set(), since_s=1.0) == 0
    assert leases.ours(newer, 1.0)
    assert not leases.ours(item, 1.0)


def test_dropped_leases_are_not_ours() -> None:
    leases, item = Leases(lease_s=10.0), make_item()
    leases.add([item], since_s=0.0)
    leases.drop([item])
    assert not leases.ours(item, 0.0)
    assert leases.items() == []


def test_failpoints_do_nothing_until_they_are_armed() -> None:
    for name in failpoints.NAMES:
        failpoints.hit(name)
    failpoints.arm(failpoints.parse("taken=error, ran=sleep:0.02"))
    with pytest.raises(failpoints.PlantedFault, match="taken"):
        failpoints.hit("taken")
    start = time.perf_counter()
    failpoints.hit("ran")
    assert time.perf_counter() - start >= 0.02


@pytest.mark.parametrize(
    "text",
    ["nowhere=kill", "taken=explode", "taken", "taken=sleep", "taken=kill:x", "ran=sleep:x", "ran=poison", "decoding=kill"],
)
def test_a_failpoint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"failpoint|action|float|int"):
        failpoints.parse(text)


def test_a_notice_survives_its_document() -> None:
    notice = Notice(frozenset({uuid4(), uuid4()}), frozenset({uuid4()}))
    assert parse_notice(notice.document()) == notice
    assert parse_notice(Notice().document().encode()) == Notice()


def test_pauses_grow_to_their_longest() -> None:
    pauses = list(itertools.islice(back_off(0.1, 1.0), 8))
    assert all(0 < pause <= 1.0 for pause in pauses)
    assert pauses[0] <= 0.1
    assert pauses[-1] >= 0.5
    assert max(itertools.islice(back_off(), 20)) <= LONGEST_S


def entries(priority: Priority, number: int, cost: int = 1, tenant: str = "t") -> list[Taken]:
    return [Taken(LaneKey(priority, tenant), f"{place}-0", uuid4(), cost, "") for place in range(number)]


async def test_a_worker_takes_ahead_by_one_micro_batch() -> None:
    in_flight = InFlight(Budget(cost_pixels=1000, items=10))
    assert in_flight.room().priorities == ("interactive", "bulk")
    first, second = entries("bulk", 10), entries("bulk", 10)
    in_flight.add(first)
    assert in_flight.room().priorities == ("interactive", "bulk")
    in_flight.add(second)
    assert in_flight.room().bells == ("interactive", "newcomer")
    assert not in_flight.freed.is_set()
    in_flight.free(first)
    assert in_flight.freed.is_set()
    assert in_flight.room().priorities == ("interactive", "bulk")
    in_flight.free(second)
    assert not in_flight
    assert in_flight.empty.is_set()


async def test_what_was_run_takes_no_room_up_to_a_number() -> None:
    budget = Budget(cost_pixels=1000, items=10)
    in_flight = InFlight(budget)
    run, waiting, late = entries("bulk", 10), entries("bulk", 10), entries("bulk", 10)
    in_flight.add([*run, *waiting])
    assert "bulk" not in in_flight.room().bells
    for entry in run[:-1]:
        in_flight.ran(entry)
    assert not in_flight.freed.is_set()
    in_flight.ran(run[-1])
    assert in_flight.freed.is_set()
    assert in_flight.room() == Room(("interactive", "bulk"), budget)
    in_flight.add(late)
    for entry in [*waiting, *late]:
        in_flight.ran(entry)
    assert in_flight.counts()["bulk"] == 30  # nothing is committed: PostgreSQL may be away
    assert "bulk" not in in_flight.room().bells
    in_flight.free(run)
    assert in_flight.room() == Room(("interactive", "bulk"), budget)
    in_flight.free([*waiting, *late])
    assert not in_flight


async def test_beyond_two_micro_batches_only_those_are_taken_who_have_none_in_flight() -> None:
    budget = Budget(cost_pixels=1000, items=10)
    in_flight = InFlight(budget)
    in_flight.add(entries("bulk", 20, tenant="crowd"))
    assert in_flight.room() == Room(("interactive", "bulk"), budget, frozenset({"crowd"}))
    late = entries("bulk", 1, tenant="late")
    in_flight.add(late)
    assert in_flight.room() == Room(("interactive",), budget)
    in_flight.free(late)
    assert in_flight.room().held == {"crowd"}


async def test_what_was_asked_for_is_not_asked_for_again_before_a_bell() -> None:
    budget = Budget(cost_pixels=1000, items=10)
    everything, urgent = Room(("interactive", "bulk"), budget), Room(("interactive",), budget)
    assert everything.covers(everything)
    assert everything.covers(urgent)
    assert everything.covers(replace(everything, budget=replace(budget, items=1)))
    assert not urgent.covers(everything)
    a, ab = (replace(everything, held=frozenset(held)) for held in ("a", "ab"))
    assert everything.covers(ab)
    assert a.covers(ab)
    assert ab.covers(urgent)
    assert not ab.covers(a)  # b's work was passed over, and is wanted now
    assert not a.covers(everything)


async def test_the_only_bulk_entry_of_its_tenant_is_known() -> None:
    in_flight = InFlight(Budget(cost_pixels=1000, items=10))
    crowd, late = entries("bulk", 2, tenant="crowd"), entries("bulk", 1, tenant="late")
    in_flight.add([*crowd, *late])
    assert in_flight.alone(late[0])
    assert not in_flight.alone(crowd[0])
    in_flight.free(crowd)
    assert not in_flight.alone(late[0])


async def test_huge_items_are_taken_until_every_thread_has_one_and_one_waits() -> None:
    budget = Budget(cost_pixels=1000, items=10)
    in_flight = InFlight(budget, threads=3)
    in_flight.add(entries("bulk", 1, cost=5000))
    assert in_flight.room() == Room(("interactive", "bulk"), budget)  # one, for no micro-batch holds two of them
    in_flight.add(entries("bulk", 1, cost=5000))
    assert in_flight.room() == Room(("interactive", "bulk"), replace(budget, items=2))
    more = entries("bulk", 2, cost=5000)
    in_flight.add(more)
    assert in_flight.room().priorities == ("interactive",)
    in_flight.ran(more[0])
    assert in_flight.freed.is_set()
    assert in_flight.room() == Room(("interactive", "bulk"), replace(budget, items=1))


async def test_a_micro_batch_that_its_last_entry_made_too_dear_is_one_all_the_same() -> None:
    budget = Budget(cost_pixels=1000, items=100)
    in_flight = InFlight(budget)
    in_flight.add(entries("bulk", 3, cost=400))
    assert in_flight.room() == Room(("interactive", "bulk"), budget)
    in_flight.add(entries("bulk", 3, cost=400))
    assert in_flight.room().held == {"t"}


async def test_interactive_items_are_taken_when_the_engine_is_about_to_want_them() -> None:
    in_flight = InFlight(Budget(cost_pixels=1000, items=10), threads=2)
    some, one, more = entries("interactive", AHEAD * 2), entries("interactive", 1), entries("interactive", 2)
    in_flight.add(some)
    assert in_flight.room().priorities == ("interactive", "bulk")
    in_flight.add(one)
    assert in_flight.room().priorities == ("bulk",)
    in_flight.ran(some[0])
    assert in_flight.freed.is_set()
    assert in_flight.room().priorities == ("interactive", "bulk")
    in_flight.add(more)
    assert in_flight.room().priorities == ("bulk",)
    in_flight.free(some[:1])  # it has been run already
    assert in_flight.room().priorities == ("bulk",)
    in_flight.free(more)  # they were dropped, or handed back
    assert in_flight.room().priorities == ("interactive", "bulk")
    for entry in [*some[1:], *one]:
        in_flight.ran(entry)
    in_flight.free([*some[1:], *one])
    assert not in_flight


def test_a_tally_says_counts_and_times() -> None:
    tally = Tally()
    tally.spent("run", 0.5)
    tally.spent("run", 0.25)
    tally.micro_batch(5)
    tally.micro_batch(1000)
    tally.count("jobs")
    assert tally.facts() == {
        "stage_n:run": "2",
        "stage_s:run": "0.750000",
        "micro_batch_items:8": "1",
        "micro_batch_items:inf": "1",
        "jobs": "1",
    }


def test_suspects_take_no_room_up_to_a_number() -> None:
    in_flight = InFlight(Budget(items=4, cost_pixels=1000))
    suspects = entries("bulk", MOST_ASIDE + 3)
    in_flight.add(suspects)
    for entry in suspects:
        in_flight.set_aside(entry)
    assert (in_flight.aside, in_flight.counts()["bulk"]) == (MOST_ASIDE, 3)
    assert "bulk" in in_flight.room().priorities
    in_flight.free(suspects)
    assert (in_flight.aside, in_flight.counts()["bulk"], bool(in_flight)) == (0, 0, False)
    assert in_flight.empty.is_set()


def test_what_is_newly_known_of_an_item_is_kept_with_its_lease() -> None:
    leases, item = Leases(lease_s=10.0), make_item()
    leases.add([item], since_s=0.0)
    leases.change(replace(item, crashes=1, charged=True))
    leases.change(replace(item, token=item.token + 1, crashes=7))
    assert [held.crashes for held in leases.items()] == [1]
    assert leases.ours(item, 1.0)
