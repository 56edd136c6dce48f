"""Overload: four times as many pictures as can be done, and whether what is refused is refused well.

    python -m benchmarks.overload [--seconds 20] [--times 4] [--waiting 3000] [--json FILE]

First `--clients` clients, each waiting for its answer, find the peak. Then pictures come by chance at `--times` the peak,
whether or not earlier ones are answered. Last, the queue is filled until a large batch is refused, and what `Retry-After`
said is compared with when there was room for it. Status 1 where a bound is not kept.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from benchmarks.folder import measured_folder
from benchmarks.kernels.goals import Goal
from benchmarks.kernels.report import console, goals_of
from benchmarks.machine import facts
from benchmarks.measured_system import measured_system
from benchmarks.progress import progress_line
from benchmarks.service.load import Answer, Connection, Record, open_loop
from benchmarks.service.pictures import files, query
from benchmarks.service.scenarios import Load, single
from service.client import Client
from service.client.multipart_body import Content, MultipartBody

WAIT_S = 60
CLIENTS = 640
"""Most requests of the open load under way: more than the 256 interactive pictures that may be unfinished."""
Result = TypeVar("Result")
_REFUSED = (429, 503)
_GOODPUT, _TRUTH = 0.95, 0.25
_PATIENCE_S = 300.0


@dataclass
class Flood:
    """What came of the open load."""

    record: Record
    offered: int = 0
    accepted: list[str] = field(default_factory=list)
    """Paths of the batches of pictures that were accepted and not done in time."""
    told: int = 0
    """Refusals that said when to come back."""
    broken: int = 0
    """Connections that ended without an answer."""
    lost: int = 0
    """Accepted pictures that were not done in the end."""


@dataclass(frozen=True)
class Told:
    """A large batch that was refused."""

    said_s: float
    true_s: float
    """Until as many items were finished as there were too many."""
    accepted: bool
    """Whether it was taken then."""

    @property
    def ratio(self) -> float:
        return self.said_s / self.true_s


def main(arguments: Sequence[str]) -> int:
    """Prints what came of it and writes the report; 1 where a bound is not kept."""
    asked = _arguments(arguments)
    known = facts(("torch", "numba", "fastapi", "uvicorn", "rq", "psycopg"))
    settings = {"AUGMENT_LOG_LEVEL": "warning", "AUGMENT_MAX_WAITING_ITEMS": str(asked.waiting)}
    with (
        measured_folder() as folder,
        measured_system(folder.path, settings) as system,
        progress_line() as progress,
    ):
        bar = progress.add_task("peak", total=3 + asked.probes)
        load = Load(system.url, files(), asked.seconds, asked.clients)
        single(load)  # fills caches, and is not counted
        peak, peak_left = _with_cores(lambda: single(load))
        progress.update(bar, advance=1, description=f"{asked.times:g} times the peak")
        rate = asked.times * peak.pictures / peak.seconds
        flood, flood_left = _with_cores(lambda: _flood(load, rate))
        _look_after(system.url, flood)
        progress.update(bar, advance=1, description="Retry-After")
        told = []
        for number in range(asked.probes + 1):
            one = _told(load, asked.waiting)
            told += [one] if number else []  # by the first one the service learns how fast batches are done
            progress.update(bar, advance=1)
    out = console()
    bounds = bounds_of(flood, goodput(peak, peak_left, flood.record, flood_left), told)
    out.print(goals_of(bounds))
    peak_rate, rate_done = peak.pictures / peak.seconds, flood.record.pictures / flood.record.seconds
    statuses = {str(status): times for status, times in sorted(flood.record.statuses.items())}
    p99_ms = round(float(np.percentile(flood.record.latencies_s or [0.0], 99)) * 1000, 1)
    out.print(f"peak {peak_rate:,.0f} pictures/s; of {rate:,.0f} a second {rate_done:,.0f} were done, p99 {p99_ms:,.0f} ms")
    out.print(f"answers: {statuses}; cores that the load left: {peak_left:.2f} at the peak, {flood_left:.2f} above it")
    out.print("Retry-After, told and true, s: " + ", ".join(f"{one.said_s:g} and {one.true_s:.1f}" for one in told))
    report = {
        **known,
        "new_file_us": folder.new_file_us,
        **{name: getattr(asked, name) for name in ("seconds", "clients", "times", "waiting")},
        "peak_per_s": round(peak_rate, 1),
        "offered_per_s": round(flood.offered / flood.record.seconds, 1),
        "done_per_s": round(rate_done, 1),
        "cores_left": {"peak": round(peak_left, 2), "overload": round(flood_left, 2)},
        "p99_ms": p99_ms,
        "statuses": statuses,
        "accepted_for_later": len(flood.accepted),
        "lost": flood.lost,
        "broken": flood.broken,
        "retry_after": [asdict(one) for one in told],
        "bounds": [bound.document() for bound in bounds],
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(bound.met for bound in bounds) else 1


def goodput(peak: Record, peak_left: float, flood: Record, flood_left: float) -> float:
    """Pictures a second under overload as a share of the peak's, each for every core that the load left to the service."""
    return (flood.pictures / flood.seconds / flood_left) / (peak.pictures / peak.seconds / peak_left)


def bounds_of(flood: Flood, share: float, told: Sequence[Told]) -> list[Goal]:
    """What is to hold."""
    refused = sum(flood.record.statuses[status] for status in _REFUSED)
    others = sum(times for status, times in flood.record.statuses.items() if status not in (200, 202, *_REFUSED))
    ratios = [one.ratio for one in told]
    return [
        Goal("refusals", 1, refused),
        Goal("refusals that do not say when to come back", 0, refused - flood.told, at_most=True),
        Goal(
            "answers other than 200, 202, 429 and 503, and connections that broke", 0, others + flood.broken, at_most=True
        ),
        Goal("accepted pictures that were lost", 0, flood.lost, at_most=True),
        Goal("pictures a second, as a share of the peak's, for each core that the load leaves", _GOODPUT, round(share, 3)),
        Goal("Retry-After, as a multiple of the truth: median", 1 - _TRUTH, round(median(ratios), 2)),
        Goal("the same", 1 + _TRUTH, round(median(ratios), 2), at_most=True),
        Goal("batches that were taken when there was room", len(told), sum(one.accepted for one in told)),
    ]


def _with_cores(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and how many cores the load, which is this process, left to the service meanwhile."""
    began_s, before_s = time.monotonic(), time.process_time()
    result = work()
    used = (time.process_time() - before_s) / (time.monotonic() - began_s)
    return result, max(0.1, len(os.sched_getaffinity(0)) - used)


def _flood(load: Load, rate: float) -> Flood:
    """The open load: `rate` pictures a second."""
    flood, lock = Flood(Record()), threading.Lock()

    def once(connection: Connection, record: Record, due_s: float) -> None:
        try:
            answer = _ask(load, connection)
        except (OSError, http.client.HTTPException):
            with lock:
                flood.offered, flood.broken = flood.offered + 1, flood.broken + 1
            return
        record.add(time.monotonic() - due_s, int(answer.status == 200), answer)
        with lock:
            flood.offered += 1
            flood.told += answer.status in _REFUSED and "retry-after" in answer.headers
            if answer.status == 202:
                flood.accepted.append(answer.headers["location"])

    flood.record = open_loop(load.url, once, rate, CLIENTS, load.seconds)
    return flood


def _ask(load: Load, connection: Connection) -> Answer:
    path = f"/v1/augment?{query(load.mix)}"
    return connection.ask("POST", path, load.files.next(), Content_Type="image/jpeg", Prefer=f"wait={WAIT_S}")


def _look_after(url: str, flood: Flood) -> None:
    """Counts what was accepted and is not done, when nothing is unfinished any more."""
    _room(url, 0)
    with Connection(url) as connection:
        for path in flood.accepted:
            view = json.loads(connection.ask("GET", path).body)
            flood.lost += view["counts"]["succeeded"] != view["counts"]["total"]


def _told(load: Load, most: int) -> Told:
    """Fills the queue nearly up, sends a batch that is too large for what room is left, and watches until there is room."""
    _room(load.url, 0)
    large = most * 3 // 4
    with Connection(load.url) as connection:
        for share in (0.5, 0.4):
            _send(load, connection, [load.files.next() for _ in range(int(share * most))])
        pictures = [load.files.next() for _ in range(large)]
        refused = _send(load, connection, pictures)
        begun_s = time.monotonic()
        if refused.status not in _REFUSED:
            raise RuntimeError(f"a batch of {large} was answered {refused.status} with {_unfinished(load.url)} unfinished")
        true_s = _room(load.url, most - large) - begun_s
        again = _send(load, connection, pictures)
    return Told(float(refused.headers.get("retry-after", "nan")), true_s, again.status == 202)


def _send(load: Load, connection: Connection, pictures: Sequence[bytes]) -> Answer:
    content: dict[str, Content] = {f"{place}.jpg": picture for place, picture in enumerate(pictures)}
    body = MultipartBody(load.mix.request(), "images", content)
    return connection.ask("POST", "/v1/batches", body, **body.headers)


def _room(url: str, unfinished: int) -> float:
    """When so few pictures are unfinished, of time.monotonic()."""
    until_s = time.monotonic() + _PATIENCE_S
    while (there := _unfinished(url)) > unfinished:
        if time.monotonic() > until_s:
            raise TimeoutError(f"{there} pictures are unfinished after {_PATIENCE_S:g} s")
        time.sleep(0.1)
    return time.monotonic()


def _unfinished(url: str) -> int:
    with Client(url) as client:
        open_batches = [batch for state in ("queued", "running") for batch in client.batches(state=state)]
    return sum(batch.counts.total - batch.counts.final for batch in open_batches)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the peak and the overload last")
    parser.add_argument("--clients", type=int, default=32, help="clients of the peak")
    parser.add_argument("--times", type=float, default=4.0, help="what is offered, as a multiple of the peak")
    parser.add_argument("--waiting", type=int, default=3000, help="most unfinished pictures, of which a batch is refused")
    parser.add_argument(
        "--probes", type=int, default=3, help="batches that are refused, to compare Retry-After with the truth"
    )
    parser.add_argument("--json", type=Path, help="write the report here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
