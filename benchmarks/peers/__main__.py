"""The same pictures over HTTP through this service and others: CPU of a picture above the same work in process.

    python -m benchmarks.peers [--only NAME ...] [--rounds 3] [--seconds 4] [--clients 32] [--batch 16] [--json FILE]

Every service runs the reference pipeline P by the same calls of this project's kernels, so that what differs is the
service: FastAPI with threads, in the event loop and with a pool of processes, LitServe, Ray Serve, RQ, and ours. Each peer
has a virtual environment of its own in the user's cache; one that cannot be installed or started is named with the reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.folder import measured_folder
from benchmarks.kernels.report import console
from benchmarks.machine import facts
from benchmarks.peers.asked import SCENARIOS, single
from benchmarks.peers.peer import EVERY, OURS, OWN_PYTHON, Peer
from benchmarks.peers.report import Measured, Run, document, losses, table_of
from benchmarks.peers.running import DidNotStart, running
from benchmarks.peers.venvs import NotInstalled, python_for, versions
from benchmarks.processes import difference
from benchmarks.progress import progress_line
from benchmarks.service.floor import Cost, in_process
from benchmarks.service.load import Record
from benchmarks.service.pictures import Mix, P, files
from benchmarks.service.scenarios import BATCHES_AT_ONCE, Load
from service.system.cannot_start import CannotStart

_WARM_S = 1.5
"""Load before a peer's first scenario, not counted."""


def main(arguments: Sequence[str]) -> int:
    """Prints the tables and writes the report; 1 where a request of ours failed."""
    asked = _arguments(arguments)
    known = facts(("torch", "numba", "simplejpeg", "fastapi", "uvicorn"))
    measured = {name: Measured() for name in EVERY if name in asked.only}
    pythons = _installed(measured)
    load = Load("", files(), asked.seconds, asked.clients, asked.batch)
    with (
        measured_folder() as folder,
        in_process() as floor,
        progress_line("pictures/s") as progress,
    ):
        bar = progress.add_task("", total=asked.rounds * len(pythons), rate=0.0)
        for number in range(asked.rounds):
            for name in _in_turn(list(pythons), number):
                progress.update(bar, description=name)
                rate = 0.0
                if measured[name].absent is None:
                    rate = _round(EVERY[name], pythons[name], folder.path / name, load, floor, measured[name])
                progress.update(bar, advance=1, rate=rate)
    _print(measured, asked)
    report = {
        **known,
        "new_file_us": folder.new_file_us,
        **{name: getattr(asked, name) for name in ("rounds", "seconds", "clients", "batch")},
        "batches_at_once": BATCHES_AT_ONCE,
        "peers": document(measured),
        "cheaper_than_ours": losses(measured),
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    ours = measured.get(OURS.name)
    return 1 if ours and (ours.absent or any(run.failed for runs in ours.runs.values() for run in runs)) else 0


def _installed(measured: Mapping[str, Measured]) -> dict[str, Path]:
    """The interpreter of each peer that is there; the others are marked absent."""
    pythons, err = {}, Console(stderr=True)
    for name, found in measured.items():
        peer = EVERY[name]
        with err.status(f"{name}: its virtual environment"):
            try:
                pythons[name] = OWN_PYTHON if peer is OURS else python_for(peer.requirements, name)
                found.versions = versions(pythons[name], peer.packages)
            except NotInstalled as error:
                found.absent = str(error)
                pythons.pop(name, None)
    return pythons


def _in_turn(names: list[str], number: int) -> list[str]:
    """Every round begins with another peer, so that none always follows the same."""
    start = number * max(1, len(names) // 2 + 1) % max(1, len(names))
    return names[start:] + names[:start]


def _round(peer: Peer, python: Path, home: Path, load: Load, floor: Callable[[float, Mix], Cost], found: Measured) -> float:
    """Starts the peer, takes each scenario once, and stops it; pictures a second of the last one."""
    runs: dict[str, tuple[Record, dict[str, float]]] = {}
    before_ms = floor(load.seconds / 4, P).cpu_ms
    try:
        with running(peer, python, home) as service:
            at = replace(load, url=service.url)
            single(peer, replace(at, seconds=_WARM_S))
            for name, scenario in SCENARIOS.items():
                before = service.cpu_s()
                record = scenario(peer, at)
                runs[name] = record, difference(service.cpu_s(), before)
    except (DidNotStart, CannotStart, OSError) as error:
        found.absent = str(error).splitlines()[-1]
        return 0.0
    in_process_ms = (before_ms + floor(load.seconds / 4, P).cpu_ms) / 2
    for name, (record, cpu) in runs.items():
        found.runs.setdefault(name, []).append(_run(record, cpu, in_process_ms))
    return record.pictures / record.seconds


def _run(record: Record, cpu: Mapping[str, float], in_process_ms: float) -> Run:
    counted = max(1, record.pictures)
    p50, p99 = np.percentile(record.latencies_s or [0.0], (50, 99)) * 1000
    return Run(
        pictures=record.pictures,
        seconds=round(record.seconds, 3),
        p50_ms=round(float(p50), 2),
        p99_ms=round(float(p99), 2),
        cpu_ms={kind: round(1000 * seconds / counted, 3) for kind, seconds in cpu.items()},
        in_process_ms=round(in_process_ms, 3),
        failed=sum(record.statuses.values()) - len(record.latencies_s),
    )


def _print(measured: Mapping[str, Measured], asked: Any) -> None:
    out = console()
    out.print(
        table_of("single", f"One picture a request, {asked.clients} clients: CPU ms a picture above in process", measured)
    )
    title = f"{asked.batch} pictures a request, {BATCHES_AT_ONCE} clients: CPU ms a picture above in process"
    out.print(table_of("batches", title, measured))
    for scenario, names in losses(measured).items():
        out.print(f"{scenario}: cheaper than ours: {', '.join(names) or 'none'}")
    out.print()
    for name, found in measured.items():
        known = ", ".join(f"{package} {number}" for package, number in found.versions.items())
        out.print(f"{name}: {EVERY[name].settings}" + (f" ({known})" if known else ""))
    out.print(
        f"\n{asked.rounds} rounds of {asked.seconds:g} s; every peer is started anew for each, and nothing else runs "
        "beside it. Peers have one route, which maps over the pictures of a request. The load's CPU time is in no number."
    )


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(EVERY), help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; all peers take turns in each")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each scenario is asked for, a round")
    parser.add_argument("--clients", type=int, default=32, help="clients that send single pictures at once")
    parser.add_argument("--batch", type=int, default=16, help="pictures of a batch")
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    asked.only = asked.only or list(EVERY)
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
