"""A whole system whose every part can be killed, stopped and started again, and each connection spoiled."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import psycopg
from redis import Redis

from service.settings import Settings
from service.system.embedded import create_database, postgres_server, remove_socket_folder, valkey_server
from service.system.processes import Child, tail
from service.system.programs import Doors, api_program, listen, reconciler_program, sandbox_program, worker_program
from service.truth.migrations import migrate
from tests.helpers.faults.checker import Budgets, Facts, Violation, check
from tests.helpers.faults.history import Call, History, Load
from tests.helpers.faults.objects import Objects
from tests.helpers.faults.relay import Relay
from tests.helpers.faults.report import LEASE_S, TARGETS_S, Trial, add, within_aim
from tests.helpers.nursery import Forked, nothing, start
from tests.helpers.truth import Row, rows

START_S = 180.0
FINAL = "('succeeded', 'failed', 'cancelled')"
_DAY = re.compile(r"/(\d{4}-\d\d-\d\d)/")
_NEEDED = "SELECT object_key AS key FROM outputs UNION SELECT source_key FROM items UNION SELECT object_key FROM images"


class Missed(AssertionError):
    """A fault did not hit what it was to hit: what was there a moment before is over. Such a trial says nothing."""


class System:
    """PostgreSQL, Redis, a store in a folder, an API, a reconciler and workers, each a process of its own."""

    def __init__(self, folder: Path, objects: Objects | None = None, **settings: Any) -> None:
        """objects: the store, where it is not a folder. settings: other than those of a small, quick system."""
        self.folder, self.store, self._objects = folder, folder / "store", objects
        self._postgres, self._redis = postgres_server(folder), valkey_server(folder)
        self.postgres, self.redis = self._postgres.start(), self._redis.start()
        create_database(self._postgres.url)
        self.database_url, self.redis_url = self._postgres.url, self._redis.url
        migrate(self.database_url)
        self._relays: list[Relay] = []
        self.settings = Settings(
            **{
                "database_url": self.database_url,
                "redis_url": self.redis_url,
                "store_url": (folder / "store").as_uri(),
                "data": folder / "data",
                "device": "cpu",
                "threads": 1,
                "lease_s": LEASE_S,
                "linger_s": 0.5,
                "slice_s": 10.0,
                "drain_s": 5.0,
                "reconcile_s": 0.25,
                "orphan_s": 600,
                "micro_batch_items": 8,
                "log_level": "warning",
                "output_cache": False,  # each trial is about what runs
                **settings,
            }
        )
        self._listener = listen("127.0.0.1", 0)
        self.settings = self.settings.model_copy(update={"port": int(self._listener.getsockname()[1])})
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.settings.port}", timeout=30, trust_env=False)
        self.api: Forked | None = None
        self.reconciler: Forked | None = None
        self.workers: list[Forked] = []
        self._made = 0
        self._doors = Doors.made()
        self.sandbox = self.start_sandbox()

    # parts

    def start(self, workers: int = 1) -> None:
        """Starts what is not there, without faults, and waits until it serves. A failed trial may leave stores dead."""
        if self.postgres.exit_status() is not None:
            self.restart_postgres()
        if self.redis.exit_status() is not None:
            self.restart_redis()
        if self.api is None or self.api.exit_status() is not None:
            self.start_api()
        if self.reconciler is None or self.reconciler.exit_status() is not None:
            self.start_reconciler()
        if self.sandbox.exit_status() is not None:
            self.start_sandbox()
        self.workers = [worker for worker in self.workers if worker.exit_status() is None]
        while len(self.workers) < workers:
            self.add_worker()
        self.wait_for(self.answers, what="the API")
        self.wait_for(lambda: self.live_workers() >= workers, what="the workers")

    def start_api(self, failpoints: str = "", **settings: Any) -> Forked:
        changed = self.settings.model_copy(update={"failpoints": failpoints, **settings})
        self.api = start(api_program(changed, self._listener.fileno(), self._log("api")))
        return self.api

    def start_reconciler(self, failpoints: str = "") -> Forked:
        changed = self.settings.model_copy(update={"failpoints": failpoints})
        self.reconciler = start(reconciler_program(changed, self._log("reconciler")))
        return self.reconciler

    def start_sandbox(self) -> Forked:
        """That which all workers share, as under `augment up`."""
        self.sandbox = start(sandbox_program(self.settings, self._doors, self._log("sandbox")))
        return self.sandbox

    def add_worker(self, failpoints: str = "", before: Callable[[], None] = nothing, **settings: Any) -> Forked:
        """One more worker, with faults planted where asked. before: what it does before all else."""
        self._made += 1
        name, changed = f"worker-{self._made}", self.settings.model_copy(update={"failpoints": failpoints, **settings})
        child = start(worker_program(changed, name, self._log(name), doors=self._doors), before)
        self.workers.append(child)
        return child

    def pause_workers(self) -> None:
        """Stops those that serve, so that one with a fault planted gets all the work. They are idle, so nothing lapses."""
        self.wait_for(lambda: self.count("state = 'leased'") == 0, what="idle workers")
        self.workers = [worker for worker in self.workers if worker.exit_status() is None]
        for worker in self.workers:
            os.kill(worker.pid, signal.SIGSTOP)

    def resume_workers(self, but: Forked | None = None) -> None:
        """Lets all go on that were stopped, but for one."""
        for worker in self.workers:
            if worker is not but and worker.exit_status() is None:
                os.kill(worker.pid, signal.SIGCONT)

    def relay(self, part: str) -> tuple[Relay, str]:
        """A relay to `postgres` or `redis`, and the URL of that part over it."""
        if part == "postgres":
            sockets = unquote(parse_qs(urlsplit(self.database_url).query)["host"][0])
            relay = Relay(f"{sockets}/.s.PGSQL.5432")
            url = f"postgresql+psycopg://postgres@127.0.0.1:{relay.port}/augment"
        else:
            relay = Relay(unquote(urlsplit(self.redis_url).path))
            url = f"redis://127.0.0.1:{relay.port}/0"
        self._relays.append(relay)
        return relay, url

    def restart_postgres(self) -> None:
        self.postgres = postgres_server(self.folder).start()

    def restart_redis(self) -> None:
        self.redis = valkey_server(self.folder).start()

    def kill(self, child: Child | Forked | None) -> None:
        """Kills a process; it is gone when this returns."""
        assert child is not None
        assert child.exit_status() is None, f"{child.program.name} was gone already"
        child.kill()
        assert child.wait(10) == -signal.SIGKILL

    def drop_workers(self) -> None:
        """Ends every worker at once, so that the next trial begins with fresh ones."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGCONT)
            worker.kill()
            worker.wait(10)
        self.workers = []

    def drop(self) -> None:
        """Ends everything but the stores, which go on if they were stopped."""
        for store in (self.redis, self.postgres):
            with suppress(ProcessLookupError):
                os.kill(store.pid, signal.SIGCONT)
        self.drop_workers()
        for child in (self.api, self.reconciler, self.sandbox):
            if child is not None:
                child.kill()
                child.wait(10)

    def close(self) -> None:
        """Ends everything."""
        self.drop()
        self._doors.close()
        self.client.close()
        self._listener.close()
        for relay in self._relays:
            relay.close()
        for store in (self.redis, self.postgres):
            store.stop()
        remove_socket_folder(self.folder)

    def _log(self, name: str) -> Path:
        return self.settings.data / "logs" / f"{name}.log"

    # looking

    def answers(self) -> bool:
        """Whether the API accepts pictures."""
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def live_workers(self) -> int:
        """Of our own, those that have registered."""
        with Redis.from_url(self.redis_url) as redis:
            names = {cast(bytes, name).decode() for name in cast(list[bytes], redis.zrange("workers", 0, -1))}
            pids = {cast(bytes, redis.hget(f"worker:{name}", "pid") or b"").decode() for name in names}
        return sum(str(worker.pid) in pids for worker in self.workers)

    def rows(self, sql: str, **values: object) -> list[Row]:
        """The rows of a statement, asked past all relays."""
        return rows(self.database_url, sql, values)

    def count(self, where: str) -> int:
        """Items for which that is so."""
        return int(self.rows(f"SELECT count(*) AS n FROM items WHERE {where}")[0]["n"])

    def facts_of(self, worker: Child) -> dict[str, str]:
        """What a worker says of itself."""
        with Redis.from_url(self.redis_url) as redis:
            for name in cast(list[bytes], redis.zrange("workers", 0, -1)):
                facts = cast(dict[bytes, bytes], redis.hgetall(f"worker:{name.decode()}"))
                if facts.get(b"pid") == str(worker.pid).encode():
                    return {key.decode(): text.decode() for key, text in facts.items()}
        return {}

    def wait_for(self, true: Callable[[], object], timeout_s: float = START_S, what: str = "") -> None:
        """Waits until `true()` is; fails with the logs' ends."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            with suppress(psycopg.OperationalError):
                if true():
                    return
            if time.monotonic() > deadline_s:
                logs = "\n".join(
                    f"--- {child.program.name}: {child.exit_status()}\n{tail(child.program.log, 15)}"
                    for child in (self.api, self.reconciler, *self.workers)
                    if child is not None
                )
                raise AssertionError(f"still waiting after {timeout_s:g} s for {what or true}\n{logs}")
            time.sleep(0.05)

    def facts(self, batch_ids: Sequence[str]) -> Facts:
        """Everything that the checker looks at, of these batches."""
        ids = {"ids": list(batch_ids)}
        in_batches = "batch_id = ANY(%(ids)s::uuid[])"
        kept = None if self._objects is None else dict(self._objects.kept)
        outputs = self.rows(f"SELECT * FROM outputs WHERE {in_batches}", **ids)
        wanted = {row["object_key"] for row in outputs}
        objects, ages_s = dict[str, bytes](), dict[str, float]()
        for path in filter(Path.is_file, self.store.rglob("*")):
            key = str(path.relative_to(self.store))
            with suppress(FileNotFoundError):  # collected meanwhile: what a row needs is missed by the checker
                ages_s[key] = time.time() - path.stat().st_mtime
                objects[key] = path.read_bytes() if key in wanted else b""
        return Facts(
            batches=self.rows("SELECT * FROM batches WHERE id = ANY(%(ids)s::uuid[])", **ids),
            items=self.rows(f"SELECT * FROM items WHERE {in_batches}", **ids),
            outputs=outputs,
            moves=self.rows(f"SELECT * FROM state_log WHERE {in_batches} AND item_id IS NOT NULL ORDER BY id", **ids),
            objects=kept or objects,
            ages_s=ages_s,
            temporary=[key for key in objects if _has_writer(key)],
            entries=self.entries(),
        )

    def collected(self) -> list[str]:
        """Makes every object and file as old as what is collected, and waits for the sweep; what no row needs even then.

        Nobody may be writing. A few minutes after midnight (UTC) a day is too young to be looked at, and left out here too.
        """
        files = [path for path in self.store.rglob("*") if path.is_file()]
        long_ago_s = time.time() - 2 * self.settings.orphan_s
        for path in files:
            os.utime(path, (long_ago_s, long_ago_s))
        if self.reconciler is not None and self.reconciler.exit_status() is None:
            self.kill(self.reconciler)
        self.rows("DELETE FROM sweeps RETURNING name")
        self.start_reconciler()
        self.wait_for(lambda: self.rows("SELECT 1 FROM sweeps WHERE ended_at IS NOT NULL"), what="a sweep of the store")
        needed = {row["key"] for row in self.rows(_NEEDED)}
        left = (str(path.relative_to(self.store)) for path in files if path.exists())
        youngest = datetime.fromtimestamp(time.time() - self.settings.orphan_s, UTC).strftime("%Y-%m-%d")
        return sorted(key for key in left if key not in needed and (day := _DAY.search(key)) and day[1] <= youngest)

    def entries(self) -> int:
        """Entries in all lanes."""
        with Redis.from_url(self.redis_url) as redis:
            return sum(cast(int, redis.xlen(lane)) for lane in cast(list[bytes], redis.keys("lane:*")))


@dataclass
class Run:
    """One trial under way."""

    system: System
    row: str
    fault: str
    history: History = field(default_factory=History)
    hit_at: float | None = None
    released_at: float | None = None
    loads: list[Load] = field(default_factory=list)

    def load(self, batches: int, **more: Any) -> Load:
        """Begins to submit."""
        self.loads.append(load := Load(self.system.client, self.history, batches=batches, **more))
        return load.start()

    def load_on_one(self, batches: int, failpoints: str = "", **worker: Any) -> tuple[Load, Forked]:
        """A load, and a worker with faults planted that gets all of it: the others are stopped until `resume_workers`."""
        self.system.pause_workers()
        added = self.system.add_worker(failpoints, **worker)
        return self.load(batches), added

    def calls_since(self, began_s: float) -> list[Call]:
        """Those that began after that (seconds since 1970) and are over."""
        return [call for call in self.history.calls if call.at_s > began_s]

    def wait_for_leases(self, more_than: int = 4) -> None:
        """Returns when workers hold items."""
        self.system.wait_for(lambda: self.system.count("state = 'leased'") > more_than, what="leases")

    def hit(self, proof: object, what: str, at: float | None = None) -> None:
        """The fault was seen to hit, now or then (seconds since 1970); a trial without it does not count."""
        assert proof, f"{self.row} did not hit: {what}"
        self.hit_at = self.hit_at or at or time.time()

    def hit_in_time(self, proof: object, what: str) -> None:
        """As `hit`, of what may be over a moment before by mere chance, of nothing promised: that trial is `Missed`."""
        if not proof:
            raise Missed(f"{self.row} did not hit: {what}")
        self.hit(proof, what)

    def released(self) -> None:
        """The fault is lifted: recovery counts from here."""
        self.released_at = time.time()


def _has_writer(key: str) -> bool:
    """Whether a file is a temporary one of a process that lives. What one that was killed was writing stays as it was."""
    _, mark, writer = key.rpartition("#")
    return bool(mark) and Path(f"/proc/{writer[:-6]}").exists()


@contextmanager
def trial(system: System, row: str, fault: str, *, recover_s: float = 60.0) -> Iterator[Run]:
    """A trial: inside, load is put on and the fault is planted; at its end all must come right within `recover_s`."""
    run = Run(system, row, fault)
    try:
        yield run
    except BaseException:
        for load in run.loads:
            load.stop()
        system.drop()  # so that the next trial begins with fresh ones
        raise
    assert run.hit_at is not None, f"{row}: nothing says that the fault hit"
    ids = sorted({wanted.batch_id for wanted in run.history.expected})
    unfinished = f"SELECT count(*) AS n FROM items WHERE batch_id = ANY(%(ids)s::uuid[]) AND state NOT IN {FINAL}"
    system.wait_for(
        lambda: system.rows(unfinished, ids=ids)[0]["n"] == 0, recover_s, f"{row}, {fault}: every acknowledged item"
    )
    # entries of dead workers stay for two leases; the reconciler takes them away
    system.wait_for(lambda: system.entries() == 0, 4 * LEASE_S + 20, f"{row}, {fault}: empty lanes")
    facts = system.facts(ids)
    violations = check(run.history.expected, facts, Budgets(system.settings.max_executions, system.settings.max_crashes))
    last = max((row["finished_at"].timestamp() for row in facts.items), default=run.hit_at)
    runs = Counter(move["item_id"] for move in facts.moves if move["to_state"] == "leased")
    again = sum(number - 1 for number in runs.values())
    kinds = [violation.kind for violation in violations]
    done = Trial(
        row,
        fault,
        len(run.history.expected),
        kinds.count("lost"),
        kinds.count("duplicated"),
        kinds.count("wrong content"),
        kinds.count("other"),
        round(max(0.0, last - (run.released_at or run.hit_at)), 2),
        again,
        run.history.unanswered,
    )
    add(done)
    assert violations == [], "\n".join(map(str, violations[:10]))
    assert run.history.expected, f"{row}: nothing was acknowledged"
    assert within_aim(done), f"{row}: {done.recovery_s:g} s, of {TARGETS_S[row]:g}"


def restart_order(parts: Sequence[str], seed: int) -> list[str]:
    """Parts in a random order, the same for a seed."""
    return random.Random(seed).sample(list(parts), len(parts))


__all__ = ["LEASE_S", "Missed", "Run", "System", "Violation", "restart_order", "trial"]
