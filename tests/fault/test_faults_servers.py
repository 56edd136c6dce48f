"""Faults F5 to F8, F10, F17, F24: Redis, PostgreSQL, the way to them, or the whole host goes away."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from tests.helpers.faults.history import PICTURES_A_BATCH
from tests.helpers.faults.relay import Relay
from tests.helpers.faults.system import LEASE_S, Run, System, restart_order, trial
from tests.helpers.nursery import Forked
from tests.helpers.processes import descendants, gone
from tests.helpers.truth import Row

pytestmark = pytest.mark.timeout(300)
DELAY_S, STILL_S = 0.5, 6.0


def unfinished(system: System) -> int:
    return system.count("state IN ('queued', 'leased')")


def connection(system: System) -> psycopg.Connection:
    return psycopg.connect(system.database_url.replace("postgresql+psycopg", "postgresql", 1), autocommit=True)


def test_f5_redis_is_killed_and_comes_back_empty(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F5", "Redis killed, comes back empty") as run:
        load = run.load(batches=8)
        system.wait_for(lambda: load.acked > 0, what="the first submit")
        system.kill(system.redis)
        late = run.load(batches=2)  # the other may be over by now
        late.join(30)
        run.hit(late.acked == 2 * PICTURES_A_BATCH, "nothing was accepted without Redis")
        system.restart_redis()
        run.released()
        load.join(60)


SPOILS = ("FLUSHALL", "groups deleted", "clients killed", "stopped for 5 s")


@pytest.mark.parametrize("spoil", [SPOILS[0], *(pytest.param(name, marks=pytest.mark.long) for name in SPOILS[1:])])
def test_f6_redis_loses_its_mind(system: System, spoil: str, attempt: int) -> None:
    system.start()
    with trial(system, "F6", f"Redis: {spoil}") as run, Redis.from_url(system.redis_url) as redis:
        system.pause_workers()
        load = run.load(batches=3)
        system.wait_for(lambda: system.entries() > 12, what="the hand-off")
        if spoil != "clients killed":
            system.resume_workers()
        match spoil:
            case "FLUSHALL":
                redis.flushall()
                run.hit_in_time(unfinished(system), "nothing was unfinished")
            case "groups deleted":
                lanes = cast(list[bytes], redis.keys("lane:*"))
                run.hit(sum(cast(int, redis.xgroup_destroy(lane, "workers")) for lane in lanes), "there was no group")
            case "clients killed":
                system.resume_workers()
                run.hit(cast(int, redis.client_kill_filter(_type="normal", skipme=True)), "nobody was connected")
            case _:
                os.kill(system.redis.pid, signal.SIGSTOP)
                run.hit_in_time(unfinished(system), "nothing was unfinished")
                time.sleep(5)
                os.kill(system.redis.pid, signal.SIGCONT)
                run.released()
        load.join(60)
        assert all(worker.exit_status() is None for worker in system.workers)


REFUSALS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "out of memory": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "read-only": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
}
"""How Redis comes to refuse what it is to keep, and to take it again."""


@pytest.mark.parametrize("why", ["out of memory", pytest.param("read-only", marks=pytest.mark.long)])
def test_f7_redis_takes_nothing_more(system: System, why: str, attempt: int) -> None:
    """It answers questions all the same: submits go on, nothing is handed off, and readiness says so."""
    system.start()
    begin, end = REFUSALS[why]
    with trial(system, "F7", f"Redis {why}") as run, Redis.from_url(system.redis_url) as redis:
        redis.execute_command(*begin)
        try:
            load = run.load(batches=3)
            load.join(60)
            run.hit(unfinished(system) >= 30, "items were handed off")
            with pytest.raises(ResponseError):
                redis.set("x", "y")
            system.wait_for(lambda: readiness(system) == (200, "degraded"), 10, "readiness that is degraded")
        finally:
            redis.execute_command(*end)
        run.released()
        system.wait_for(lambda: readiness(system) == (200, "ready"), 10, "readiness")


def readiness(system: System) -> tuple[int, str]:
    answer = system.client.get("/readyz")
    return answer.status_code, answer.json()["status"]


def test_f8_postgresql_is_killed(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F8", "PostgreSQL killed") as run:
        load = run.load(batches=8)
        system.wait_for(lambda: load.acked > 0 and unfinished(system) > 0, what="the first submit")
        sessions = descendants(system.postgres.pid)
        system.kill(system.postgres)
        system.wait_for(lambda: all(map(gone, sessions)), 30, "the end of its sessions, which finish what they do")
        ended_s = time.time()
        late = run.load(batches=1)  # the other may be over by now
        system.wait_for(lambda: run.calls_since(ended_s), 30, "the answer to a submit that began after that")
        time.sleep(0.5)
        since = run.calls_since(ended_s)
        run.hit(since, "nobody asked")
        assert all(call.status == 503 for call in since), "an answer without a database"
        system.restart_postgres()
        run.released()
        load.join(90)
        late.join(90)
    for call in run.history.calls:
        assert call.status in (202, None) or (call.status == 503 and int(call.retry_after or 0) >= 1), call


@pytest.mark.long
def test_f8_every_session_is_ended_again_and_again(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F8", "all sessions ended every 200 ms, for 5 s") as run:
        load = run.load(batches=8)
        ended = 0
        until_s = time.monotonic() + 5
        while time.monotonic() < until_s:
            ended += system.rows(
                "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE application_name LIKE 'augment%%'"
            )[0]["n"]
            time.sleep(0.2)
        run.hit(ended > 10, "there were no sessions")
        run.released()
        load.join(60)


@pytest.mark.long
def test_f8_the_answer_to_a_commit_is_lost(system: System, attempt: int) -> None:
    """The batch is written, and the API never hears of it: asked again, it finds its own rows."""
    system.start()
    with trial(system, "F8", "connection cut during COMMIT") as run:
        relay, url = system.relay("postgres")
        system.kill(system.api)
        system.start_api(database_url=url)
        system.wait_for(system.answers, what="the API over the relay")
        relay.cut_at(b'"idempotency_key":"load-')
        load = run.load(batches=3)
        system.wait_for(lambda: relay.cut > 0, what="a cut")
        run.hit(relay.cut, "no connection was cut")
        relay.cut_at(None)
        load.join(60)
        keys = {call.key for call in run.history.calls}
        assert system.rows("SELECT count(*) AS n FROM idempotency WHERE key = ANY(%(keys)s)", keys=list(keys))[0]["n"] == 3
    system.kill(system.api)


def test_f10_tables_are_locked(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F10", "tables locked for 12 s") as run:
        run.load(batches=2).join(60)
        with connection(system) as locking, locking.transaction():
            locking.execute("LOCK TABLE batches, items IN ACCESS EXCLUSIVE MODE")
            load = run.load(batches=2)
            time.sleep(12)
            run.hit(load.acked == 0, "something was acknowledged")
        run.released()
        load.join(60)
        assert all(call.status in (202, 503, None) for call in run.history.calls)


@pytest.mark.long
def test_f10_postgresql_is_slow(system: System, attempt: int) -> None:
    """More submits at once than the pool has connections, all of them half a second away: they take longer, that is all."""
    system.start()
    with trial(system, "F10", f"{DELAY_S:g} s to PostgreSQL, and back") as run:
        relay, url = system.relay("postgres")
        system.kill(system.api)
        system.start_api(database_url=url)
        system.wait_for(system.answers, what="the API over the relay")
        relay.delay_s = DELAY_S
        loads = [run.load(batches=1) for _ in range(20)]
        for load in loads:
            load.join(120)
        took_s = [call.took_s for call in run.history.calls if call.status == 202]
        run.hit(min(took_s) >= 2 * DELAY_S, "an answer came sooner than any of PostgreSQL's could")
        relay.delay_s = 0.0
        run.released()
        assert {call.status for call in run.history.calls} <= {202, 503, None}
    system.kill(system.api)


@pytest.mark.long
def test_f10_sessions_of_postgresql_stand_still(system: System, attempt: int) -> None:
    """Those that the API keeps, while nothing is asked of them: what is asked then has no answer until they go on."""
    system.start()
    with trial(system, "F10", f"the API's sessions stopped for {STILL_S:g} s") as run:
        system.wait_for(lambda: len(sessions(system)) > 0, what="a session")
        run.load(batches=1).join(60)
        system.wait_for(lambda: unfinished(system) == 0, 60, "every item's end")
        stopped = sessions(system)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            loads = [run.load(batches=1) for _ in range(4)]
            time.sleep(STILL_S)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        run.released()
        for load in loads:
            load.join(60)
        calls = run.history.calls[1:]
        run.hit_in_time(max(call.took_s for call in calls) >= STILL_S - 1, f"none of {len(stopped)} sessions was asked")
        assert {call.status for call in calls} <= {202, 503, None}


def sessions(system: System) -> list[int]:
    """Processes of PostgreSQL that serve the API, and are idle."""
    sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'augment-api' AND state = 'idle'"
    return [row["pid"] for row in system.rows(sql)]


CUTS: dict[str, Callable[[Relay], None]] = {
    "silence": lambda relay: setattr(relay, "mode", "swallow"),
    "connections refused": lambda relay: setattr(relay, "mode", "refuse"),
    "answers lost": lambda relay: setattr(relay, "mode", "mute"),
    "longer than a lease on the way": lambda relay: setattr(relay, "delay_s", 1.5 * LEASE_S),
}
"""What becomes of what a worker sends to PostgreSQL and of what it is told."""


@pytest.mark.parametrize("cut", [pytest.param(cut, marks=() if cut == "silence" else pytest.mark.long) for cut in CUTS])
def test_f17_a_worker_is_cut_off_from_postgresql(system: System, cut: str, attempt: int) -> None:
    """Others finish what it held. It comes back with results that are no longer its to write, and writes none of them."""
    system.start()
    with trial(system, "F17", f"worker cut off from PostgreSQL: {cut}") as run:
        relay, url = system.relay("postgres")
        load, cut_off = run.load_on_one(3, "stored=sleep:0.1", database_url=url)
        run.wait_for_leases(2)
        CUTS[cut](relay)
        run.hit_in_time(system.count("state = 'leased'"), "it held nothing")
        system.wait_for(lambda: lapsed(system, cut_off), 10 * LEASE_S, "a lease of it that lapsed")
        system.resume_workers()
        load.join(60)
        system.wait_for(lambda: unfinished(system) == 0, 60, "the others' results")
        before = facts_of_outputs(system, run)
        relay.delay_s, relay.mode = 0.0, "pass"
        system.wait_for(lambda: int(system.facts_of(cut_off).get("fenced", 0)) > 0, 30, "a writer that is fenced")
        assert facts_of_outputs(system, run) == before
        assert cut_off.exit_status() is None
    assert lapsed(system, cut_off, "JOIN outputs o USING (item_id, token)") == 0
    system.kill(cut_off)


def lapsed(system: System, worker: Forked, joined: str = "") -> int:
    """Leases of a worker that ran out; joined: those of them of which there is something else, too."""
    sql = f"SELECT count(*) AS n FROM state_log l {joined} WHERE l.reason = 'lease_expired' AND l.worker LIKE %(name)s"
    return int(system.rows(sql, name=f"%-{worker.pid}-%")[0]["n"])


def facts_of_outputs(system: System, run: Run) -> list[Row]:
    """What rows of results say, and by which lease."""
    ids = [wanted.batch_id for wanted in run.history.expected]
    sql = "SELECT item_id, variant, token, object_key FROM outputs WHERE batch_id = ANY(%(ids)s::uuid[]) ORDER BY 1, 2"
    return system.rows(sql, ids=ids)


@pytest.mark.long
def test_f17_a_worker_is_cut_off_from_redis(system: System, attempt: int) -> None:
    """It keeps its leases, which PostgreSQL counts, and finishes what it holds; there is nothing to be fenced."""
    system.start()
    with trial(system, "F17", "worker cut off from Redis") as run:
        relay, url = system.relay("redis")
        load, cut_off = run.load_on_one(3, "stored=sleep:0.1", redis_url=url)
        run.wait_for_leases(2)
        relay.mode = "swallow"
        run.hit_in_time(system.count("state = 'leased'"), "it held nothing")
        system.wait_for(lambda: relay.swallowed, what="something that it says")
        time.sleep(1.5 * LEASE_S)
        system.resume_workers()
        load.join(60)
        relay.mode = "pass"
    assert cut_off.exit_status() is None
    system.kill(cut_off)


@pytest.mark.long
def test_f17_the_api_is_cut_off_from_redis(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F17", "API cut off from Redis") as run:
        relay, url = system.relay("redis")
        system.kill(system.api)
        system.start_api(redis_url=url)
        system.wait_for(system.answers, what="the API over the relay")
        relay.mode = "swallow"
        run.load(batches=4).join(60)
        run.hit(relay.swallowed, "it had nothing to say")
        relay.mode = "pass"
        run.released()
    system.kill(system.api)


@contextmanager
def said_on_failure(what: str) -> Iterator[None]:
    """Adds what it takes to repeat a trial to its failure."""
    try:
        yield
    except BaseException as error:
        error.add_note(what)
        raise


def test_f24_the_whole_host_stops(system: System, attempt: int) -> None:
    """Everything is killed at once in mid-load, and starts again in an order that is another one in each run."""
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**6))
    system.start()
    with said_on_failure(f"FAULT_SEED={seed}"), trial(system, "F24", "everything killed at once", recover_s=120) as run:
        load = run.load(batches=6)
        system.wait_for(lambda: load.acked > 0 and system.count("state = 'leased'") > 0, what="work in hand")
        parts = [system.api, system.reconciler, system.sandbox, *system.workers, system.postgres, system.redis]
        for child in parts:
            assert child is not None
            os.kill(child.pid, signal.SIGKILL)
        for child in parts:
            assert child is not None
            assert child.wait(10) == -signal.SIGKILL
            assert gone(child.pid)
        run.hit(load.acked > 0, "nothing was acknowledged")
        system.workers = []
        starts = {
            "postgres": system.restart_postgres,
            "redis": system.restart_redis,
            "api": system.start_api,
            "reconciler": system.start_reconciler,
            "sandbox": system.start_sandbox,
            "worker": system.add_worker,
        }
        for part in restart_order(list(starts), seed):
            starts[part]()
        run.released()
        load.join(90)
