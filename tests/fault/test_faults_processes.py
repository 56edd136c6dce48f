"""Faults F1 to F4, F13 to F16, F18, F19, F22, F23: a process, a picture, a clock or a client goes wrong."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from batching.failpoints import RUN, SUBMIT
from service.handoff import ATTEND_S
from service.repair.reconciler import MISSED_S
from service.settings import as_environment
from service.system.processes import Child, Program, tail
from tests.helpers.faults import altered
from tests.helpers.faults.canary import canary
from tests.helpers.faults.checker import Expected, custom_id
from tests.helpers.faults.history import numbers_of, submit
from tests.helpers.faults.system import LEASE_S, System, trial
from tests.helpers.nursery import Forked
from tests.helpers.truth import Row

pytestmark = pytest.mark.timeout(300)
HOLDS_ITEMS = RUN[RUN.index("leased") : RUN.index("before_finish") + 1]


def some(names: tuple[str, ...], *quick: str) -> list[object]:
    """Parameters of which all but the quick ones are `long`."""
    return [pytest.param(name, marks=() if name in quick else pytest.mark.long) for name in names]


def ended(system: System, child: Child | Forked, timeout_s: float = 90) -> int | None:
    """How a process ended, after waiting for it."""
    system.wait_for(lambda: child.exit_status() is not None, timeout_s, f"the end of {child.program.name}")
    return child.exit_status()


@pytest.mark.parametrize("point", some(SUBMIT, "committed"))
def test_f1_the_api_is_killed(system: System, point: str, attempt: int) -> None:
    system.start()
    with trial(system, "F1", f"API killed: {point}") as run:
        system.kill(system.api)
        api = system.start_api(f"{point}=kill")
        load = run.load(batches=4)
        run.hit(ended(system, api) == -signal.SIGKILL, "the API was not killed")
        system.start_api()
        run.released()
        load.join(60)
        if point != "handed_off":  # by then the answer may have been sent
            run.hit(run.history.unanswered, "every submit had its answer")


def test_f1_what_was_not_handed_off_is_found_before_its_turn(system: System, attempt: int) -> None:
    """The API dies between commit and hand-off, and the lane holds older items, which nobody takes."""
    system.start()
    with trial(system, "F1", "API killed: committed, full lane") as run:
        system.pause_workers()
        run.load(batches=2).join(60)
        system.kill(system.api)
        api = system.start_api("committed=kill")
        load = run.load(batches=1)
        run.hit(ended(system, api) == -signal.SIGKILL, "the API was not killed")
        waiting = system.count("state = 'queued'")
        run.hit_in_time(system.entries() < waiting, "everything was handed off")
        system.wait_for(lambda: system.entries() == waiting, MISSED_S + ATTEND_S + 10, "the items that were not handed off")
        assert system.count("state = 'queued' AND handed_off_at IS NOT NULL") == waiting
        system.start_api()
        run.released()
        load.join(60)
        system.resume_workers()


@pytest.mark.parametrize("point", some(RUN, "stored"))
def test_f2_a_worker_is_killed(system: System, point: str, attempt: int) -> None:
    system.start()
    with trial(system, "F2", f"worker killed: {point}") as run:
        load, failing = run.load_on_one(3, f"{point}=kill")
        status = ended(system, failing)
        run.hit(status == -signal.SIGKILL, f"the worker ended with {status}")
        if point in HOLDS_ITEMS:
            run.hit_in_time(system.count("state = 'leased'"), "it held nothing")
        system.resume_workers()
        load.join(60)


def test_f3_a_worker_is_paused_beyond_its_lease(system: System, attempt: int) -> None:
    """Pause is not kill: it comes back, with results that are no longer its to write."""
    system.start()
    with trial(system, "F3", "worker paused for two leases") as run:
        load, paused = run.load_on_one(2, "stored=sleep:0.2")
        run.wait_for_leases()
        os.kill(paused.pid, signal.SIGSTOP)
        run.hit_in_time(system.count("state = 'leased'"), "it held nothing")
        system.wait_for(lambda: system.count("suspect AND state = 'queued'") > 0, 4 * LEASE_S, "an expired lease")
        system.resume_workers(but=paused)
        load.join(60)
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 60, "the others' results")
        os.kill(paused.pid, signal.SIGCONT)
        system.wait_for(lambda: int(system.facts_of(paused).get("fenced", 0)) > 0, 30, "a writer that is fenced")
        assert paused.exit_status() is None
    system.kill(paused)


def test_f4_a_worker_is_asked_to_leave_twice(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F4", "SIGTERM under load, twice") as run:
        load, leaving = run.load_on_one(4, "encoded=sleep:0.05")
        run.wait_for_leases()
        os.kill(leaving.pid, signal.SIGTERM)
        threading.Event().wait(0.2)
        os.kill(leaving.pid, signal.SIGTERM)
        assert ended(system, leaving, system.settings.drain_s + 10) == 0
        moves = "SELECT count(*) AS n FROM state_log WHERE reason = 'hand_back' AND worker LIKE %(name)s"
        run.hit(system.rows(moves, name=f"%-{leaving.pid}-%")[0]["n"], "nothing was handed back")
        assert system.count("state = 'leased'") == 0
        system.resume_workers()
        load.join(60)
    assert charged_by(system, leaving) == []


@pytest.mark.long
@pytest.mark.parametrize("point", RUN)
def test_f4_a_worker_is_asked_to_leave_at_any_step(system: System, point: str, attempt: int) -> None:
    """It stands still at that step when it is asked: the signal is what comes next."""
    system.start()
    with trial(system, "F4", f"SIGTERM: {point}") as run:
        load, leaving = run.load_on_one(2, f"{point}=stop:1")
        system.wait_for(lambda: stands_still(leaving), 30, f"the worker to come to {point}")
        run.hit(stands_still(leaving), "it goes on")
        os.kill(leaving.pid, signal.SIGTERM)
        os.kill(leaving.pid, signal.SIGCONT)
        assert ended(system, leaving, system.settings.drain_s + 10) == 0
        assert system.count("state = 'leased'") == 0
        assert taken(system) == 0
        system.resume_workers()
        load.join(60)
    assert charged_by(system, leaving) == []


def stands_still(worker: Forked) -> bool:
    """Whether a process is stopped."""
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def taken(system: System) -> int:
    """Entries of lanes that a worker has taken and neither settled nor given back."""
    with Redis.from_url(system.redis_url) as redis:
        lanes = cast(list[bytes], redis.keys("lane:*"))
        return sum(cast(dict[str, int], redis.xpending(lane, "workers"))["pending"] for lane in lanes)


# what became of an item after that is none of the leaving worker's business, so leases of others that lapsed are left out
CHARGED = """
SELECT i.id, i.executions, i.crashes, i.suspect FROM items i JOIN state_log m ON m.item_id = i.id
GROUP BY i.id, i.executions, i.crashes, i.suspect
HAVING bool_or(m.reason = 'lease_expired' AND m.worker LIKE %(name)s)
    OR (bool_or(m.reason = 'hand_back' AND m.worker LIKE %(name)s) AND NOT bool_or(m.reason = 'lease_expired')
        AND (i.executions <> 1 OR i.crashes > 0 OR i.suspect))
"""


def charged_by(system: System, left: Forked) -> list[Row]:
    """Items that a worker left behind when it left, and those that it handed back and that were charged for it."""
    return system.rows(CHARGED, name=f"%-{left.pid}-%")


def test_f13_sources_are_damaged_after_the_answer(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F13", "source gone, source damaged") as run:
        system.pause_workers()
        run.load(batches=3).join(60)
        good = [wanted for wanted in run.history.expected if not wanted.codes]
        gone, damaged = good[3], good[17]
        sql = "SELECT source_key, source_sha256, state FROM items WHERE batch_id = %(batch)s AND custom_id = %(name)s"
        for wanted in (gone, damaged):
            [row] = system.rows(sql, batch=wanted.batch_id, name=custom_id(wanted.number))
            path = system.folder / "store" / str(row["source_key"])
            assert hashlib.sha256(path.read_bytes()).hexdigest() == row["source_sha256"]
            if wanted is gone:
                path.unlink()
            else:
                path.write_bytes(path.read_bytes()[:-5] + b"other")
            kept = path.read_bytes() if path.exists() else b""
            run.hit(hashlib.sha256(kept).hexdigest() != row["source_sha256"], "the object is as it was")
            run.hit(row["state"] == "queued", "it was read before that")
        run.history.expected = [
            replace(wanted, codes=frozenset({"source_missing"})) if wanted in (gone, damaged) else wanted
            for wanted in run.history.expected
        ]
        system.resume_workers()


POISONS = ("segv", "abort", "balloon", "loop")


@pytest.mark.parametrize("poison", some(POISONS, "segv"))
def test_f14_a_picture_kills_what_decodes_it(system: System, poison: str, attempt: int) -> None:
    system.start()
    with trial(system, "F14", f"poison: {poison}", recover_s=120) as run:
        planted: dict[str, Any] = {"failpoints": "decoding=poison", "item_timeout_s": 3.0}
        system.pause_workers()
        dying = system.add_worker(**planted)
        load = run.load(batches=2, poison=poison)
        run.hit(ended(system, dying) != 0, "the worker did not die")
        surviving = system.add_worker(**planted)  # as the supervisor would
        load.join(60)
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 120, "the end of a poison")
    [row] = system.rows("SELECT max(crashes) AS crashes, count(*) AS n FROM items WHERE error_code = 'poison'")
    assert row["n"] == 0 or row["crashes"] == 3
    assert system.count("state = 'succeeded' AND crashes > 0") == 0
    system.kill(surviving)


@pytest.mark.long
@pytest.mark.timeout(500)
def test_f14_a_picture_lets_nothing_else_run(system: System, attempt: int) -> None:
    """Native code that never lets go of Python's lock: only the supervisor can end that worker."""
    system.start()
    with trial(system, "F14", "poison: holds the worker still", recover_s=180) as run:
        system.drop_workers()
        settings = system.settings.model_copy(update={"failpoints": "decoding=poison", "item_timeout_s": 3.0})
        log = system.folder / "data" / "logs" / f"supervised-{attempt}.log"
        supervised = Child(
            Program("supervised", (sys.executable, "-m", "service", "worker"), log, as_environment(settings), grace_s=20)
        )
        try:
            run.load(batches=2, poison="grip").join(60)
            system.wait_for(lambda: "it is killed" in tail(log, 50), 120, "the supervisor's kill")
            ids = [wanted.batch_id for wanted in run.history.expected if "poison" in wanted.codes]
            first = """SELECT min(at) AS leased_at FROM state_log JOIN items ON items.id = state_log.item_id
                       WHERE to_state = 'leased' AND suspect AND state_log.batch_id = ANY(%(ids)s::uuid[])"""
            # the worker stands still since soon after it took what it was killed with, so long before the kill
            leased_at = system.rows(first, ids=ids)[0]["leased_at"]
            run.hit(leased_at, "the worker held nothing", leased_at and leased_at.timestamp())
            system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 240, "the end of a poison")
        finally:
            supervised.stop()


@pytest.mark.parametrize("times", some(("once", "always"), "once"))
def test_f15_the_device_has_too_little_memory(system: System, times: str, attempt: int) -> None:
    system.start()
    with trial(system, "F15", f"out of memory, {times}") as run:
        began_at = time.time()
        load, failing = run.load_on_one(2, "running=oom:1" if times == "once" else "running=oom")
        load.join(60)
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 60, "every item's end")
        assert failing.program.log is not None
        run.hit("in halves" in failing.program.log.read_text(), "no memory was short", began_at)
        if times == "always":
            run.history.expected = [
                replace(wanted, codes=frozenset({"resource_exhausted"}) | wanted.codes) for wanted in run.history.expected
            ]
    system.kill(failing)


def test_f16_the_device_is_lost(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F16", "device lost") as run:
        load, losing = run.load_on_one(2, "running=lost")
        run.hit(ended(system, losing) == 70, "the worker kept its device")
        load.join(60)
        ids = [wanted.batch_id for wanted in run.history.expected]
        returned = "SELECT count(*) AS n FROM items WHERE batch_id = ANY(%(ids)s::uuid[]) AND state = 'queued'"
        assert system.rows(returned, ids=ids)[0]["n"] > 0
        system.resume_workers()
    charged = "SELECT count(*) AS n FROM items WHERE batch_id = ANY(%(ids)s::uuid[]) AND (executions > 1 OR crashes > 0)"
    assert system.rows(charged, ids=ids)[0]["n"] == 0


def test_f18_reconcilers_die_and_double(system: System, attempt: int) -> None:
    """Killed between what it read and what it writes, then two begin at once, while workers finish what they hold."""
    system.start()
    with trial(system, "F18", "reconciler killed in a repair, then two") as run:
        system.kill(system.reconciler)
        system.pause_workers()
        failing = system.start_reconciler("repairing=kill")
        run.load(batches=3).join(60)
        with Redis.from_url(system.redis_url) as redis:
            redis.flushall()
        run.hit(ended(system, failing) == -signal.SIGKILL, "the reconciler was not killed")
        other, _ = system.start_reconciler(), system.start_reconciler()
        system.resume_workers()
    system.kill(other)


@pytest.mark.parametrize("step_s", [3600, pytest.param(-3600, marks=pytest.mark.long)])
def test_f19_a_workers_clock_is_wrong(system: System, step_s: int, attempt: int) -> None:
    system.start()
    with trial(system, "F19", f"worker's clock {step_s:+d} s") as run:
        expired, began_at = system.count("suspect"), time.time()
        load, wrong = run.load_on_one(2, before=partial(altered.clock, step_s))
        load.join(60)
        system.wait_for(lambda: system.count("state IN ('queued', 'leased')") == 0, 60, "every item's end")
        said = float(system.facts_of(wrong)["announced_at"])
        run.hit(abs(said - step_s - began_at) < 600, "its clock is right", began_at)
        assert system.count("suspect") == expired
    system.kill(wrong)


def test_f22_the_same_key_is_sent_by_many_at_once(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F22", "one key, 50 submits at once") as run:
        numbers = numbers_of(3)
        pictures, key = {custom_id(number): canary(number) for number in numbers}, f"same-{numbers[0]}"
        together = threading.Barrier(50)

        def send() -> None:
            together.wait(30)
            run.history.calls.append(submit(system.client, key, pictures, 2))

        threads = [threading.Thread(target=send) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        acked = [call for call in run.history.calls if call.status == 202]
        assert {call.status for call in run.history.calls} <= {202, 409}
        [batch_id] = {cast(str, call.batch_id) for call in acked}
        other = submit(system.client, key, pictures, 1)
        assert (other.status, other.code) == (422, "idempotency_key_reused")
        run.hit(len(run.history.calls) == 50, "some were not sent")
        again = submit(system.client, key, pictures, 2)
        assert (again.status, again.batch_id) == (202, batch_id)
        run.history.expected = [Expected(batch_id, number, 2) for number in numbers]


@pytest.mark.long
@pytest.mark.parametrize("fault", ["the API is killed", "PostgreSQL is killed"])
def test_f22_the_same_key_is_sent_by_many_meanwhile(system: System, fault: str, attempt: int) -> None:
    """Each of fifty sends it until it is acknowledged after the fault: all are told of the same batch, before and after."""
    system.start()
    with trial(system, "F22", f"one key, 50 clients: {fault}") as run:
        numbers = numbers_of(3)
        pictures, key = {custom_id(number): canary(number) for number in numbers}, f"same-{numbers[0]}"
        together, over = threading.Barrier(51), threading.Event()

        def send() -> None:
            together.wait(30)
            while True:
                is_after = over.is_set()
                run.history.calls.append(call := submit(system.client, key, pictures, 2))
                if is_after and call.status == 202:
                    return
                time.sleep(0.05)

        threads = [threading.Thread(target=send, daemon=True) for _ in range(50)]
        for thread in threads:
            thread.start()
        if fault == "the API is killed":
            system.kill(system.api)
            api = system.start_api("committed=kill")
            together.wait(30)
            run.hit(ended(system, api) == -signal.SIGKILL, "the API was not killed")
            system.start_api()
        else:
            together.wait(30)
            system.kill(system.postgres)
            away = (503, None)  # and not 409, which says that the first of them is still under way
            system.wait_for(lambda: any(call.status in away for call in list(run.history.calls)), 30, "a refusal")
            run.hit(any(call.status in away for call in list(run.history.calls)), "nobody noticed")
            system.restart_postgres()
        run.released()
        over.set()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive(), run.history.calls[-3:]
        assert {call.status for call in run.history.calls} <= {202, 409, 503, None}
        [batch_id] = {cast(str, call.batch_id) for call in run.history.calls if call.status == 202}
        mine = """SELECT count(*) AS n FROM items JOIN batches b ON b.id = %(batch)s AND b.tenant = items.tenant
                  WHERE custom_id = %(name)s"""  # other tenants may have a picture of that name
        [row] = system.rows(mine, batch=batch_id, name=custom_id(numbers[0]))
        assert row["n"] == 1
        other = submit(system.client, key, pictures, 1)
        assert (other.status, other.code) == (422, "idempotency_key_reused")
        run.history.expected = [Expected(batch_id, number, 2) for number in numbers]


def test_f23_every_entry_is_delivered_three_times(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F23", "entries three times, hand-off replayed") as run:
        system.pause_workers()
        run.load(batches=3).join(60)
        with Redis.from_url(system.redis_url) as redis:
            system.wait_for(lambda: system.entries() == system.count("state = 'queued'"), what="the hand-off")
            once = system.entries()
            for lane in cast(list[bytes], redis.keys("lane:*")):
                for _, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], redis.xrange(lane)):
                    for _ in range(2):
                        redis.xadd(lane, fields)  # type: ignore[arg-type]  # bytes are fine
        run.hit(system.entries() == 3 * once > 60, "they are not there thrice")
        system.rows("UPDATE items SET handed_off_at = NULL, executions = 1 WHERE state = 'queued' RETURNING id")
        system.rows("UPDATE items SET executions = 0 WHERE state = 'queued' RETURNING id")
        system.resume_workers()
