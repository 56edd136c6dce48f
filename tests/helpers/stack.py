"""A whole system as separate processes, for tests that speak HTTP to it or break a part of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from service.settings import Settings
from service.system.processes import Child, Program, tail, wait_until
from service.system.programs import Doors, api_program, listen, reconciler_program, sandbox_program, worker_program
from tests.helpers.nursery import Forked, start

START_S = 180.0


@dataclass
class Stack:
    """Running processes and a client of their API."""

    settings: Settings
    client: httpx2.Client
    api: Child | Forked
    reconciler: Child | Forked | None
    doors: Doors
    sandbox: Forked
    """Shared by all workers, as under `augment up`."""
    workers: list[Forked] = field(default_factory=list)

    def log(self, child: Child | Forked) -> str:
        """The end of a child's log, for messages of failed tests."""
        return tail(child.program.log, lines=40)

    def add_worker(self, failpoints: str = "", **changed: Any) -> Forked:
        """One more worker, with faults planted where asked, and with other settings."""
        name = f"worker-{len(self.workers) + 1}"
        settings = self.settings.model_copy(update={"failpoints": failpoints, **changed})
        child = start(worker_program(settings, name=name, log=_log(settings, name), doors=self.doors))
        self.workers.append(child)
        return child

    def ask_to_stop(self) -> None:
        """Asks all at once, so that nobody's end waits for another's."""
        for child in (self.api, self.reconciler, *self.workers):
            if child is not None:
                child.ask_to_stop()

    def stop_workers(self) -> None:
        """Stops all workers, those that were killed or hang too."""
        for child in self.workers:
            child.ask_to_stop()
        while self.workers:
            self.workers.pop().stop()

    def wait_for(self, true: Callable[[], object], timeout_s: float = START_S, what: str = "") -> None:
        """Waits until `true()` is; fails with the logs' ends."""
        deadline_s = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline_s:
                logs = "\n".join(f"--- {child.program.name}\n{self.log(child)}" for child in (self.api, *self.workers))
                raise AssertionError(f"still waiting after {timeout_s:g} s for {what or true}\n{logs}")
            time.sleep(0.05)

    def batch(self, batch_id: str, wait_s: float = 60.0) -> dict[str, object]:
        """The view of a batch, waited for until it is final."""
        deadline_s = time.monotonic() + wait_s
        while True:
            answer = self.client.get(f"/v1/batches/{batch_id}", headers={"Prefer": "wait=5"}, timeout=30)
            answer.raise_for_status()
            view: dict[str, object] = answer.json()
            if view["state"] in ("completed", "cancelled", "expired"):
                return view
            assert time.monotonic() < deadline_s, f"not final after {wait_s:g} s: {view}\n" + "\n".join(
                self.log(worker) for worker in self.workers
            )


@contextmanager
def running(
    settings: Settings, *, workers: int = 1, failpoints: str = "", reconciler: bool = True, forked: bool = True
) -> Iterator[Stack]:
    """Starts an API on a free port, workers and a reconciler; yields when all have reported; stops them all.

    forked: off the nursery; or else API and reconciler begin as programs, with command lines of their own.
    """
    begin = start if forked else Child
    with ExitStack() as ends:
        listener = ends.enter_context(listen(settings.host, 0))
        port = int(listener.getsockname()[1])
        settings = settings.model_copy(update={"port": port})
        client = ends.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False))
        api = _start(ends, begin, api_program(settings, listener.fileno(), log=_log(settings, "api")))
        repairs = (
            _start(ends, begin, reconciler_program(settings, log=_log(settings, "reconciler"))) if reconciler else None
        )
        doors = Doors.made()
        ends.callback(doors.close)
        sandbox = start(sandbox_program(settings, doors, _log(settings, "sandbox")))
        ends.callback(sandbox.stop)
        stack = Stack(settings, client, api, repairs, doors, sandbox)
        ends.callback(stack.stop_workers)
        for _ in range(workers):
            stack.add_worker(failpoints)
        assert wait_until(lambda: _answers(client, "/readyz"), api, START_S), f"the API did not start\n{stack.log(api)}"
        if workers:
            stack.wait_for(lambda: _workers(client) >= workers, what="the workers' reports")
        ends.callback(stack.ask_to_stop)
        yield stack


def _start(ends: ExitStack, begin: Callable[[Program], Child | Forked], program: Program) -> Child | Forked:
    child = begin(program)
    ends.callback(child.stop)
    return child


def _log(settings: Settings, name: str) -> Path:
    return settings.data / "logs" / f"{name}.log"


def _answers(client: httpx2.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx2.TransportError:
        return False


def _workers(client: httpx2.Client) -> int:
    answer = client.get("/readyz", params={"workers": 1})
    return len(answer.json()["workers"]) if answer.status_code == 200 else 0
