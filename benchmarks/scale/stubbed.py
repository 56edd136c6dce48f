"""A whole system whose workers do nothing to pixels, fed through REST: what an item costs each of its parts."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.folder import measured_folder
from benchmarks.measured_system import COMPUTES, measured_system
from benchmarks.processes import cpu_by_process, difference, environment_of
from benchmarks.service.load import Connection, Record, closed_loop
from benchmarks.service.pictures import Files, files
from service.client.multipart_body import Content, MultipartBody
from service.system.processes import Child, Program
from service.system.tuning import ALLOCATOR, ONE_THREAD

_SENDERS = 4


@dataclass(frozen=True)
class Stage:
    """What some workers, fed through REST, did."""

    workers: int
    items: int
    seconds: float
    cpu_us: dict[str, float]
    """An item, by kind of process."""


def stubbed(workers: int, seconds: float, *, side: int = 64, batch: int = 200) -> Stage:
    """So many workers, fed for so long with batches of pictures of `side` x `side` pixels."""
    with measured_folder() as folder, ExitStack() as ends:
        home = folder.path
        system = ends.enter_context(measured_system(home, {"AUGMENT_WORKERS": "0", "AUGMENT_LOG_LEVEL": "warning"}))
        shared = environment_of(system.pid, "api")
        for number in range(workers):
            command = (sys.executable, "-m", "benchmarks.handoff.worker")
            environment = {**COMPUTES, **shared, **ALLOCATOR, **ONE_THREAD}
            ends.callback(Child(Program(f"worker-{number}", command, home / f"worker-{number}.log", environment)).stop)
        request = {"recipe": {"steps": [{"op": "hflip"}]}, "seed": 7}
        once = partial(_batch, files(distinct=16, side=side), batch, request)
        closed_loop(system.url, once, _SENDERS, seconds / 4)
        before, theirs = cpu_by_process(system.pid), cpu_by_process(os.getpid())
        record = closed_loop(system.url, once, _SENDERS, seconds)
        spent = difference(cpu_by_process(system.pid), before)
        spent["worker"] = difference(cpu_by_process(os.getpid()), theirs).get("worker", 0.0)
        items = max(1, record.pictures)
        cpu_us = {kind: round(seconds_spent / items * 1e6, 1) for kind, seconds_spent in spent.items()}
        return Stage(workers, record.pictures, round(record.seconds, 3), cpu_us)


def _batch(
    sent: Files, number: int, request: Mapping[str, Any], connection: Connection, record: Record, due_s: float
) -> None:
    """A batch of pictures, sent and waited for."""
    pictures: dict[str, Content] = {f"{place}.jpg": sent.next() for place in range(number)}
    body = MultipartBody(request, "images", pictures)
    answer = connection.ask("POST", "/v1/batches", body, **body.headers)
    if answer.status != 202:
        record.add(time.monotonic() - due_s, 0, answer)
        return
    at = json.loads(answer.body)["links"]["self"]
    while json.loads((last := connection.ask("GET", at, Prefer="wait=60")).body)["state"] != "completed":
        pass
    record.add(time.monotonic() - due_s, number, last)
