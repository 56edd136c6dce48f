"""Faults F5 to F8, F10, F17, F24: Redis, PostgreSQL, the way to them, or the whole host goes away."""

from __future__ import annotations

import os
import signal
import time
from typing import cast

import psycopg
import pytest
from redis import Redis

from tests.helpers.faults.history import PICTURES_A_BATCH
from tests.helpers.faults.system import LEASE_S, System, restart_order, trial
from tests.helpers.processes import gone

pytestmark = pytest.mark.timeout(300)


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
        before = load.acked
        system.wait_for(lambda: load.acked >= before + 2 * PICTURES_A_BATCH, 30, "submits without Redis")
        run.hit(load.acked > before, "nothing was accepted without Redis")
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
                run.hit(unfinished(system), "nothing was unfinished")
            case "groups deleted":
                lanes = cast(list[bytes], redis.keys("lane:*"))
                run.hit(sum(cast(int, redis.xgroup_destroy(lane, "workers")) for lane in lanes), "there was no group")
            case "clients killed":
                system.resume_workers()
                run.hit(cast(int, redis.client_kill_filter(_type="normal", skipme=True)), "nobody was connected")
            case _:
                os.kill(system.redis.pid, signal.SIGSTOP)
                run.hit(unfinished(system), "nothing was unfinished")
                time.sleep(5)
                os.kill(system.redis.pid, signal.SIGCONT)
                run.released()
        load.join(60)
        assert all(worker.exit_status() is None for worker in system.workers)


def test_f7_redis_takes_nothing_more(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F7", "Redis out of memory") as run, Redis.from_url(system.redis_url) as redis:
        redis.config_set("maxmemory", 1)
        try:
            load = run.load(batches=3)
            load.join(60)
            run.hit(unfinished(system) >= 30, "items were handed off")
            with pytest.raises(Exception, match="memory"):
                redis.set("x", "y")
        finally:
            redis.config_set("maxmemory", 0)
        run.released()


def test_f8_postgresql_is_killed(system: System, attempt: int) -> None:
    system.start()
    with trial(system, "F8", "PostgreSQL killed") as run:
        load = run.load(batches=8)
        system.wait_for(lambda: load.acked > 0 and unfinished(system) > 0, what="the first submit")
        system.kill(system.postgres)
        system.wait_for(lambda: run.history.refused + run.history.unanswered > 0, 30, "a refusal")
        acked = load.acked
        time.sleep(0.5)
        assert load.acked == acked, "an answer without a database"
        run.hit(run.history.refused + run.history.unanswered, "nobody noticed")
        system.restart_postgres()
        run.released()
        load.join(90)
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


@pytest.mark.parametrize("part", [pytest.param("postgres"), pytest.param("redis", marks=pytest.mark.long)])
def test_f17_a_worker_is_cut_off(system: System, part: str, attempt: int) -> None:
    """Half open: what it sends vanishes, and nobody tells it."""
    system.start()
    with trial(system, "F17", f"worker cut off from {'PostgreSQL' if part == 'postgres' else 'Redis'}") as run:
        relay, url = system.relay(part)
        over_it = {"database_url" if part == "postgres" else "redis_url": url}
        load, cut_off = run.load_on_one(3, "stored=sleep:0.1", **over_it)
        run.wait_for_leases(2)
        relay.mode = "swallow"
        run.hit(system.count("state = 'leased'"), "it held nothing")
        time.sleep(1.5 * LEASE_S)
        system.resume_workers()
        load.join(60)
        if part == "postgres":
            system.wait_for(lambda: unfinished(system) == 0, 60, "the others' results")
            assert relay.swallowed > 0
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


def test_f24_the_whole_host_stops(system: System, attempt: int) -> None:
    """Everything is killed at once in mid-load, and starts again in a random order."""
    system.start()
    with trial(system, "F24", "everything killed at once", recover_s=120) as run:
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
        order = restart_order(list(starts), attempt)
        for part in order:
            starts[part]()
        run.released()
        load.join(90)
