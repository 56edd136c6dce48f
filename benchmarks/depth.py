"""A deep queue: many small pictures in a few batches of one group, and whether memory, pace and counts stay right.

    python -m benchmarks.depth [--pictures 100000] [--side 64] [--batches 10] [--json FILE]

All batches are sent at once, as fast as they are taken; nothing is read back before all is done. Then every item and every
output is listed and counted. Status 1 where a bound is not kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from rich.table import Table

from benchmarks.folder import measured_folder
from benchmarks.kernels.goals import Goal
from benchmarks.kernels.pictures import SEED
from benchmarks.kernels.report import console, goals_of
from benchmarks.machine import facts
from benchmarks.measured_system import measured_system
from benchmarks.processes import memory_by_process
from benchmarks.progress import progress_line
from benchmarks.service.pictures import files
from service.client import Client
from service.client.multipart_body import Content

RECIPE: dict[str, Any] = {
    "steps": [{"op": "hflip", "chance": 0.5}, {"op": "rotate", "degrees": [-15, 15]}, {"op": "color_jitter"}],
    "output": {"format": "jpeg", "quality": 90},
}
GROUP = "depth"
PARTS = 10
"""The pace is compared between so many equal parts of the pictures."""
MOST_MIB: Mapping[str, float] = {"api": 768, "worker": 2048, "reconciler": 256, "valkey": 128, "postgres": 768, "up": 256}
"""Bounds of memory of their own, all processes of a kind together, whatever the number of pictures."""
_LEAST_PACE = 0.8
"""Of the last part, as a share of the median part's."""
_READING_S = 0.5
Reading = tuple[float, int, dict[str, float]]
"""Seconds since the first batch was sent, pictures that are final, and MiB by kind of process."""


@dataclass(frozen=True)
class Counted:
    """What the service lists when all is done."""

    succeeded: int
    not_succeeded: int
    items: int
    distinct_items: int
    outputs: int
    distinct_outputs: int

    def exact(self, pictures: int) -> bool:
        """Whether each picture is there once, succeeded, with one output."""
        there = (self.succeeded, self.items, self.distinct_items, self.outputs, self.distinct_outputs)
        return self.not_succeeded == 0 and set(there) == {pictures}


def main(arguments: Sequence[str]) -> int:
    """Prints the tables and writes the report; 1 where a bound is not kept."""
    asked = _arguments(arguments)
    known = facts(("torch", "numba", "fastapi", "uvicorn", "rq", "psycopg"))
    with (
        measured_folder() as folder,
        measured_system(folder.path, {"AUGMENT_LOG_LEVEL": "warning"}) as system,
        Client(system.url) as client,
    ):
        readings, sent_s = _run(system.url, system.pid, asked.pictures, asked.batches, asked.side)
        counted = count(client)
    paces = paces_of([(at_s, done) for at_s, done, _ in readings], asked.pictures)
    peaks = peaks_of([mib for _, _, mib in readings])
    bounds = bounds_of(paces, peaks, counted, asked.pictures)
    out = console()
    out.print(_table(paces, peaks))
    out.print(goals_of(bounds))
    end_s = readings[-1][0]
    sent = f"{asked.pictures:,} pictures of {asked.side} x {asked.side} in {asked.batches} batches"
    out.print(f"{sent}: {end_s:,.0f} s, all sent after {sent_s:,.0f} s")
    report = {
        **known,
        "new_file_us": folder.new_file_us,
        **{name: getattr(asked, name) for name in ("pictures", "side", "batches")},
        "seconds": round(end_s, 1),
        "sent_s": round(sent_s, 1),
        "pictures_per_s_by_part": paces,
        "peak_mib": peaks,
        "counted": vars(counted),
        "bounds": [bound.document() for bound in bounds],
        "readings": [{"s": round(at_s, 1), "done": done, **mib} for at_s, done, mib in readings],
    }
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(bound.met for bound in bounds) else 1


def _run(url: str, pid: int, pictures: int, batches: int, side: int) -> tuple[list[Reading], float]:
    """Sends everything and waits for it; readings from the first batch to the last picture, and how long sending took."""
    readings: list[Reading] = [(0.0, 0, memory_by_process(pid))]
    begun_s, failed = time.monotonic(), threading.Event()
    sent_s = 0.0

    def send() -> None:
        nonlocal sent_s
        made, start = files(side=side), 0
        try:
            with Client(url) as client:
                for number in range(batches):
                    end = pictures * (number + 1) // batches
                    content: dict[str, Content] = {f"{place:07}.jpg": made.next() for place in range(start, end)}
                    client.submit_batch(content, RECIPE, seed=SEED, group=GROUP)
                    start = end
            sent_s = time.monotonic() - begun_s
        except BaseException:
            failed.set()
            raise

    sending = threading.Thread(target=send)
    with progress_line("pictures/s") as progress, Client(url) as client:
        bar = progress.add_task(f"{side} x {side}", total=pictures, rate=0.0)
        sending.start()
        final: dict[UUID, int] = {}
        while sum(final.values()) < pictures:
            time.sleep(_READING_S)
            if failed.is_set():
                raise RuntimeError("a batch could not be sent")
            final = {batch.id: batch.counts.final for batch in client.batches(group=GROUP)}
            done = sum(final.values())
            at_s = time.monotonic() - begun_s
            readings.append((at_s, done, memory_by_process(pid)))
            progress.update(bar, completed=done, rate=done / at_s)
        sending.join()
    return readings, sent_s


def count(client: Client) -> Counted:
    """Everything of the group, listed item by item and output by output."""
    succeeded = not_succeeded = 0
    items: Counter[str] = Counter()
    outputs: Counter[UUID] = Counter()
    for batch in client.batches(group=GROUP):
        succeeded += batch.counts.succeeded
        not_succeeded += batch.counts.total - batch.counts.succeeded
        items.update(item.custom_id for item in client.items(batch.id))
        outputs.update(output.item_id for output in client.outputs(batch.id))
    return Counted(succeeded, not_succeeded, items.total(), len(items), outputs.total(), len(outputs))


def paces_of(done: Sequence[tuple[float, int]], pictures: int, parts: int = PARTS) -> list[float]:
    """Pictures a second of each equal part of the pictures, from times at which so many were done, interpolated."""
    ends = [_when(done, pictures * part / parts) for part in range(parts + 1)]
    return [round(pictures / parts / max(after - before, 1e-9), 1) for before, after in pairwise(ends)]


def _when(done: Sequence[tuple[float, int]], number: float) -> float:
    """When `number` were done. The first part begins when the first picture is about to be done, not at the start."""
    last_s, last = done[0]
    for at_s, there in done[1:]:
        if there > last and there >= number:
            return last_s + (at_s - last_s) * (max(number, last) - last) / (there - last)
        last_s, last = at_s, there
    return last_s


def peaks_of(readings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The most MiB of each kind of process."""
    kinds = sorted({kind for mib in readings for kind in mib})
    return {kind: max(mib.get(kind, 0.0) for mib in readings) for kind in kinds}


def bounds_of(paces: Sequence[float], peaks: Mapping[str, float], counted: Counted, pictures: int) -> list[Goal]:
    """What is to hold."""
    bounds = [
        Goal(f"memory of {kind}, MiB", most, peaks[kind], at_most=True) for kind, most in MOST_MIB.items() if kind in peaks
    ]
    bounds.append(
        Goal("pace of the last tenth, as a share of the median tenth's", _LEAST_PACE, round(paces[-1] / median(paces), 2))
    )
    bounds.append(Goal("pace of the last tenth, as a share of the first's", _LEAST_PACE, round(paces[-1] / paces[0], 2)))
    bounds.append(Goal("pictures, items and outputs are each there once (1: yes)", 1, int(counted.exact(pictures))))
    return bounds


def _table(paces: Sequence[float], peaks: Mapping[str, float]) -> Table:
    parts = (f"{number}" for number in range(1, len(paces) + 1))
    table = Table(
        "", *parts, title="\nPictures a second, by tenth; most memory of its own, MiB", title_justify="left", box=None
    )
    table.add_row("pictures/s", *(f"{pace:,.0f}" for pace in paces))
    for kind, mib in peaks.items():
        table.add_row(kind, f"{mib:,.0f}")
    return table


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.depth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=100_000, help="how many, all distinct")
    parser.add_argument("--side", type=int, default=64, help="pixels a side")
    parser.add_argument("--batches", type=int, default=10, help="batches that they are sent in")
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    if asked.pictures < PARTS or asked.batches < 1:
        parser.error(f"there are at least {PARTS} pictures, and a batch")
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
