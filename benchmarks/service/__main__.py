"""A whole running system under load through REST: rates, latencies, CPU time and memory of every process.

    python -m benchmarks.service [--scenario NAME ...] [--rounds 3] [--seconds 10] [--clients 32] [--json FILE]

Starts a system of its own (PostgreSQL, Valkey, API, worker, reconciler), sends the reference pipeline P over distinct
512 x 512 JPEG pictures, and says what a picture costs above the same work in process, which is measured in each round too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.folder import measured_folder
from benchmarks.kernels.goals import Goal
from benchmarks.kernels.measure import summary
from benchmarks.kernels.report import console, goals_of
from benchmarks.machine import facts
from benchmarks.measured_system import measured_system
from benchmarks.processes import cpu_by_process, difference, memory_by_process
from benchmarks.progress import progress_line
from benchmarks.service.floor import Cost, in_process
from benchmarks.service.pictures import Mix, files
from benchmarks.service.scenarios import SCENARIOS, Load

_ABOVE_MS = {"batches": 0.5, "single": 1.0}
"""Most milliseconds of CPU a picture above the same work in process, all processes counted."""


@dataclass(frozen=True)
class Run:
    """What one round of one scenario measured."""

    pictures: int
    seconds: float
    latency_ms: dict[str, float]
    """p50, p95, p99 and the longest."""
    cpu_ms: dict[str, float]
    """A picture, by kind of process."""
    in_process_ms: float
    statuses: dict[str, int]
    retry_after_s: float | None
    """Median of what refused clients were told."""
    memory_mib: dict[str, float]

    @property
    def above_ms(self) -> float:
        """CPU of a picture above the same work in process."""
        return sum(self.cpu_ms.values()) - self.in_process_ms


def main(arguments: Sequence[str]) -> int:
    asked = _arguments(arguments)
    names = list(asked.scenario or SCENARIOS)
    known = facts(("torch", "numba", "fastapi", "uvicorn", "rq", "psycopg", "sqlalchemy", "simplejpeg"))
    runs: dict[str, list[Run]] = {name: [] for name in names}
    with (
        measured_folder() as folder,
        progress_line("pictures/s") as progress,
        measured_system(folder.path, {"AUGMENT_LOG_LEVEL": "warning"}) as system,
        in_process() as floor,
    ):
        bar = progress.add_task("", total=(asked.rounds + 1) * len(names), rate=0.0)
        load = Load(system.url, files(), asked.seconds, asked.clients, asked.batch, asked.rate)
        for number in range(asked.rounds + 1):
            for name in names:
                progress.update(bar, description=name)
                run = _measured(name, load, system.pid, floor)
                if number:  # the first round fills caches and is not counted
                    runs[name].append(run)
                progress.update(bar, advance=1, rate=run.pictures / run.seconds)
    out = console()
    out.print(_table(runs))
    reached = _goals(runs)
    out.print(goals_of(reached))
    out.print(
        f"{asked.rounds} rounds of {asked.seconds:g} s; {asked.clients} clients; batches of {asked.batch}; store: a local "
        "folder without fsync; PostgreSQL: synchronous commits; the load's own CPU time is in none of the numbers"
    )
    report = {
        **known,
        "new_file_us": folder.new_file_us,
        **{name: getattr(asked, name) for name in ("rounds", "seconds", "clients", "batch", "rate")},
        "scenarios": {name: _document(found) for name, found in runs.items()},
        "goals": [goal.document() for goal in reached],
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    # the open load may be more than the service can take; whoever waits for an answer gets one
    closed = [run for name, found in runs.items() if name != "open" for run in found]
    unexpected = sum(times for run in closed for status, times in run.statuses.items() if status != "200")
    return 1 if unexpected else 0


def _measured(name: str, load: Load, pid: int, in_process: Callable[[float, Mix], Cost]) -> Run:
    in_process_ms = round(in_process(load.seconds / 4, load.mix).cpu_ms, 3)
    before = cpu_by_process(pid)
    record = SCENARIOS[name](load)
    cpu, memory = difference(cpu_by_process(pid), before), memory_by_process(pid)
    counted = max(1, record.pictures)
    points = np.percentile(record.latencies_s or [0.0], (50, 95, 99, 100)) * 1000
    return Run(
        pictures=record.pictures,
        seconds=record.seconds,
        latency_ms={at: round(float(value), 2) for at, value in zip(("p50", "p95", "p99", "max"), points, strict=True)},
        cpu_ms={kind: round(1000 * seconds / counted, 3) for kind, seconds in cpu.items()},
        in_process_ms=in_process_ms,
        statuses={str(status): times for status, times in sorted(record.statuses.items())},
        retry_after_s=median(record.retry_after_s) if record.retry_after_s else None,
        memory_mib=memory,
    )


def _document(runs: Sequence[Run]) -> dict[str, Any]:
    """Medians, and every round."""
    return {
        "pictures_per_s": summary([run.pictures / run.seconds for run in runs]),
        "cpu_ms": summary([sum(run.cpu_ms.values()) for run in runs], 3),
        "above_in_process_ms": summary([run.above_ms for run in runs], 3),
        "latency_ms": {at: summary([run.latency_ms[at] for run in runs], 2) for at in runs[0].latency_ms},
        "runs": [asdict(run) for run in runs],
    }


def _goals(runs: Mapping[str, Sequence[Run]]) -> list[Goal]:
    def middle(name: str, at: str) -> float:
        return round(median(run.latency_ms[at] for run in runs[name]), 2)

    reached = [
        Goal(
            f"{name}: CPU ms a picture above the same in process",
            limit,
            round(median(run.above_ms for run in runs[name]), 3),
            at_most=True,
        )
        for name, limit in _ABOVE_MS.items()
        if name in runs
    ]
    if "interactive" in runs:
        reached.append(Goal("interactive: p50, ms", 8.0, middle("interactive", "p50"), at_most=True))
        times = round(middle("interactive", "p99") / middle("interactive", "p50"), 2)
        reached.append(Goal("interactive: p99, as a multiple of p50", 3.0, times, at_most=True))
    if {"interactive", "mixed"} <= runs.keys():
        times = round(middle("mixed", "p99") / middle("interactive", "p99"), 2)
        reached.append(Goal("mixed: p99, as a multiple of the idle system's", 2.0, times, at_most=True))
    return reached


def _table(runs: Mapping[str, Sequence[Run]]) -> Table:
    kinds = sorted({kind for found in runs.values() for run in found for kind in run.cpu_ms})
    columns = ("pictures/s", "p50 ms", "p99 ms", "CPU ms a picture", "in process", "above", *kinds, "refused")
    table = Table("", *columns, title="\nThrough REST: medians of the rounds", title_justify="left", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in runs.items():
        cells = [
            f"{median(run.pictures / run.seconds for run in found):,.0f}",
            f"{median(run.latency_ms['p50'] for run in found):,.1f}",
            f"{median(run.latency_ms['p99'] for run in found):,.1f}",
            f"{median(sum(run.cpu_ms.values()) for run in found):.2f}",
            f"{median(run.in_process_ms for run in found):.2f}",
            f"{median(run.above_ms for run in found):.2f}",
            *(f"{median(run.cpu_ms.get(kind, 0.0) for run in found):.2f}" for kind in kinds),
            f"{sum(times for run in found for status, times in run.statuses.items() if status >= '400'):,}",
        ]
        table.add_row(name, *cells)
    return table


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all scenarios, one more to warm up")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each scenario is asked for, a round")
    parser.add_argument("--clients", type=int, default=32, help="clients of `single`")
    parser.add_argument("--batch", type=int, default=16, help="pictures of a batch")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second of `open`")
    parser.add_argument("--json", type=Path, help="write the report here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
