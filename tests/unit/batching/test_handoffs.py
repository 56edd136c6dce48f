"""HandOff: order, the part that bulk work gets, bounds, closing."""

from __future__ import annotations

import threading

from batching.handoffs import HandOff


def test_interactive_overtakes_bulk() -> None:
    queue: HandOff[str] = HandOff()
    queue.put("bulk", 1, "first")
    queue.put("interactive", 1, "second")
    assert [queue.get(), queue.get()] == ["second", "first"]


def test_each_priority_keeps_its_order() -> None:
    queue: HandOff[int] = HandOff()
    for number in range(5):
        queue.put("bulk", 1, number)
    assert queue.get_many(100, 100) == [0, 1, 2, 3, 4]


def test_owners_take_turns_and_keep_their_own_order() -> None:
    queue: HandOff[str] = HandOff()
    for number in range(4):
        queue.put("bulk", 1, f"crowd {number}", "crowd")
    assert queue.get() == "crowd 0"
    queue.put("bulk", 1, "late 0", "late")
    queue.put("bulk", 1, "late 1", "late")
    assert queue.waiting("bulk") == 5
    assert queue.get_many(100, 100) == ["crowd 1", "late 0", "crowd 2", "late 1", "crowd 3"]


def test_bulk_gets_a_fifth_while_interactive_waits() -> None:
    queue: HandOff[str] = HandOff()
    for _ in range(100):
        queue.put("bulk", 10, "bulk")
        queue.put("interactive", 10, "interactive")
    taken = [queue.get() for _ in range(100)]
    assert 18 <= taken.count("bulk") <= 22
    assert taken[:4] == ["interactive"] * 4


def test_many_are_taken_up_to_the_cost_but_at_least_one() -> None:
    queue: HandOff[int] = HandOff()
    for cost in (50, 30, 30, 200):
        queue.put("bulk", cost, cost)
    assert queue.get_many(100, 10) == [50, 30]
    assert queue.get_many(100, 10) == [30]
    assert queue.get_many(100, 10) == [200]


def test_put_waits_for_room_and_a_large_entry_passes_an_empty_queue() -> None:
    queue: HandOff[str] = HandOff(most_cost=10)
    queue.put("bulk", 25, "large")
    entered = threading.Event()

    def put() -> None:
        queue.put("interactive", 1, "waits")
        entered.set()

    thread = threading.Thread(target=put)
    thread.start()
    assert not entered.wait(0.05)
    assert queue.get() == "large"
    assert entered.wait(5)
    thread.join()
    assert queue.get() == "waits"


def test_closed_and_empty_ends_those_who_wait() -> None:
    queue: HandOff[str] = HandOff()
    answers: list[str | None] = []
    thread = threading.Thread(target=lambda: answers.extend([queue.get(), queue.get()]))
    thread.start()
    queue.put("bulk", 1, "last")
    queue.close()
    thread.join(5)
    assert answers == ["last", None]


def test_withdrawn_entries_are_not_given_to_anyone() -> None:
    queue: HandOff[str] = HandOff()
    queue.put("bulk", 1, "a")
    queue.put("interactive", 1, "b")
    assert sorted(queue.withdraw()) == ["a", "b"]
    queue.close()
    assert queue.get() is None
