"""From what a picture costs to what a job needs. Plain arithmetic; nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.capacity.profile import Profile
from benchmarks.service.floor import Cost

BUSY = 0.8
"""Part of a core that is planned for: above it queues grow faster than work gets done."""
ONE_AT_WORK = ("valkey", "reconciler")
"""Parts of which one process does the work, however many there are: what a core of them can do is the most there is."""
_LANE_WINDOW = 10_000


@dataclass(frozen=True)
class Job:
    """What is to be done."""

    pictures: int
    variants: int
    seconds: float | None
    """Time that there is; None: as fast as this machine does it."""


@dataclass(frozen=True)
class Plan:
    """What the job needs, and how fast it goes."""

    cpu_ms: dict[str, float]
    """CPU of a picture by part; the worker's with its pixels."""
    here_per_s: float
    """Pictures a second of the measured machine, all parts on its cores."""
    ceilings_per_s: dict[str, float]
    """Pictures a second that parts with one process at work can take."""
    limit: str
    """What is full first as workers are added."""
    needed_per_s: float
    """Pictures a second that the time allows for."""
    possible: bool
    """Whether any number of workers does it in time."""
    workers: int
    """Worker processes of one core each."""
    api_processes: int
    postgres_cores: int
    redis_mib: float
    postgres_rows_per_s: float
    postgres_gib: float
    store_gib: dict[str, float]
    network_mib_per_s: dict[str, float]

    def rate(self, workers: int) -> float:
        """Pictures a second of so many workers of one core each, the API and PostgreSQL having the cores they need."""
        return min(workers * BUSY * 1000 / self.cpu_ms["worker"], *self.ceilings_per_s.values())


def plan(job: Job, profile: Profile, cost: Cost, cores: int) -> Plan:
    """What the job needs of parts that cost what the profile says and pixels that cost `cost`."""
    cpu_ms = {part: max(0.0, ms) for part, ms in profile.overhead_ms(job.variants, cost).items()}
    cpu_ms["worker"] += cost.cpu_ms
    here = cores * 1000 / sum(cpu_ms.values())
    ceilings = {part: BUSY * 1000 / cpu_ms[part] for part in ONE_AT_WORK if cpu_ms[part] > 0}
    needed = here if job.seconds is None else job.pictures / job.seconds
    full = min(ceilings, key=lambda part: ceilings[part], default="")
    possible = not full or needed <= ceilings[full]

    def processes(part: str) -> int:
        return max(1, math.ceil(needed * cpu_ms[part] / 1000 / BUSY))

    written = job.pictures * cost.mib_in / 1024, job.pictures * cost.mib_out / 1024
    return Plan(
        cpu_ms={part: round(ms, 3) for part, ms in cpu_ms.items()},
        here_per_s=round(here, 1),
        ceilings_per_s={part: round(rate, 1) for part, rate in ceilings.items()},
        limit=_limit(cpu_ms, full, possible),
        needed_per_s=round(needed, 2),
        possible=possible,
        workers=processes("worker"),
        api_processes=processes("api"),
        postgres_cores=processes("postgres"),
        redis_mib=round(min(job.pictures, _LANE_WINDOW) * profile.redis_bytes / 2**20, 1),
        postgres_rows_per_s=round(needed * (profile.postgres_rows + job.variants - 1), 1),
        postgres_gib=round(job.pictures * _of_disk(profile.postgres_bytes, job.variants) / 2**30, 2),
        store_gib={"sources": round(written[0], 2), "results": round(written[1], 2)},
        network_mib_per_s={
            "clients": round(needed * (cost.mib_in + cost.mib_out), 2),
            # a source is written by the API and read by a worker, a result written by a worker and read by the API
            "store": round(needed * 2 * (cost.mib_in + cost.mib_out), 2),
        },
    )


def chart_points(made: Plan, most: int) -> Sequence[tuple[int, float]]:
    """Pictures a second by number of workers, up to `most`."""
    return [(workers, made.rate(workers)) for workers in range(1, most + 1)]


def _limit(cpu_ms: Mapping[str, float], full: str, possible: bool) -> str:
    if not possible:
        return full
    return max(cpu_ms, key=lambda part: cpu_ms[part])


def _of_disk(per: Mapping[str, float], variants: int) -> float:
    return per["picture"] + variants * per["variant"]
