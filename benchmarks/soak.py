"""Steady load for a long time: whether any process keeps growing, and whether answers stay as fast.

    python -m benchmarks.soak [--minutes 10] [--rate 100] [--json FILE]

Single pictures come at a steady rate through REST. Memory of each kind of process is read every few seconds; its slope is a
straight line through the second half, when caches are full.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.folder import measured_folder
from benchmarks.kernels.report import console
from benchmarks.machine import facts
from benchmarks.measured_system import measured_system
from benchmarks.processes import memory_by_process
from benchmarks.service.load import Record
from benchmarks.service.pictures import files
from benchmarks.service.scenarios import Load, arriving

_READINGS = 120
"""Readings of memory, at even distances."""
Reading = tuple[float, dict[str, float]]


def main(arguments: Sequence[str]) -> int:
    """Prints the table and writes the report; 1 where a request failed."""
    asked = _arguments(arguments)
    known = facts(("torch", "numba", "fastapi", "uvicorn", "rq", "psycopg"))
    seconds = asked.minutes * 60
    with (
        measured_folder() as folder,
        measured_system(folder.path, {"AUGMENT_LOG_LEVEL": "warning"}) as system,
    ):
        load = Load(system.url, files(), seconds, rate=asked.rate)
        record, readings = _watched(load, system.pid)
    slopes = slope_by_process(readings)
    latencies = np.array_split(np.array(record.latencies_s) * 1000, 2)
    failed = sum(times for status, times in record.statuses.items() if status != 200)
    out = console()
    out.print(_table(readings, slopes))
    halves = [round(float(np.percentile(half, 99)), 1) if len(half) else None for half in latencies]
    out.print(
        f"{record.pictures:,} pictures in {record.seconds:,.0f} s; not answered with a picture: {failed:,}; "
        f"p99 of the first half {halves[0]} ms, of the second {halves[1]} ms"
    )
    report: dict[str, Any] = {
        **known,
        "new_file_us": folder.new_file_us,
        "minutes": asked.minutes,
        "rate": asked.rate,
        "pictures": record.pictures,
        "statuses": {str(status): times for status, times in record.statuses.items()},
        "p99_ms_by_half": halves,
        "memory_mib": [{"s": round(at_s, 1), **mib} for at_s, mib in readings],
        "slope_mib_per_hour": slopes,
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 1 if failed else 0


def slope_by_process(readings: Sequence[Reading]) -> dict[str, float]:
    """MiB an hour of each kind of process: the least-squares line through the second half of the readings."""
    half = readings[len(readings) // 2 :]
    if len(half) < 2:
        return {}
    hours = np.array([at_s for at_s, _ in half]) / 3600
    kinds = {kind for _, mib in half for kind in mib}
    return {
        kind: round(float(np.polyfit(hours, [mib.get(kind, 0.0) for _, mib in half], 1)[0]), 1) for kind in sorted(kinds)
    }


def _watched(load: Load, pid: int) -> tuple[Record, list[Reading]]:
    """The load's record, and memory of every kind of process while it ran."""
    readings: list[Reading] = []
    over = threading.Event()
    begun_s = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("soaking", total=load.seconds)

        def watch() -> None:
            while not over.wait(load.seconds / _READINGS):
                at_s = time.monotonic() - begun_s
                readings.append((at_s, memory_by_process(pid)))
                bar.update(task, completed=at_s)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            record = arriving(load)
        finally:
            over.set()
            watching.join()
    return record, readings


def _table(readings: Sequence[Reading], slopes: dict[str, float]) -> Table:
    title = "\nMemory of its own, MiB"
    table = Table("", "first", "half way", "last", "MiB an hour", title=title, title_justify="left", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    at = (readings[0][1], readings[len(readings) // 2][1], readings[-1][1]) if readings else ()
    for kind, slope in slopes.items():
        table.add_row(kind, *(f"{mib.get(kind, 0.0):,.1f}" for mib in at), f"{slope:+,.1f}")
    return table


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long")
    parser.add_argument("--rate", type=float, default=100.0, help="pictures a second")
    parser.add_argument("--json", type=Path, help="write the report here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
