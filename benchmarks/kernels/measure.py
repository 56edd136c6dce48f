"""Measuring: tasks that are compared take turns round by round, and what slows a whole round down cancels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from rich.progress import Progress

from benchmarks.progress import progress_line

Basis = Literal["cpu_us", "wall_us"]


@dataclass(frozen=True)
class Taken:
    """Microseconds a picture, one value a round: of the process's CPU time, all threads, and of the clock."""

    cpu_us: tuple[float, ...]
    wall_us: tuple[float, ...]

    def summary(self) -> dict[str, dict[str, float]]:
        """Median and spread (from the first to the third quarter) of both."""
        return {"cpu_us": summary(self.cpu_us), "wall_us": summary(self.wall_us)}


def ratio(one: Taken, other: Taken, basis: Basis) -> float:
    """How many times as long `one` takes: the median of the rounds' ratios."""
    first, second = getattr(one, basis), getattr(other, basis)
    return round(float(np.median(np.array(first) / np.array(second))), 3)


class Watch:
    """Times tasks over a round's pictures, and tells people how far it is."""

    def __init__(self, pictures: int, rounds: int, cores: int, progress: Progress) -> None:
        self.pictures, self.rounds, self.cores = pictures, rounds, cores
        self._progress = progress
        self._bar = progress.add_task("", total=None, rate=0.0)
        self._pool: ThreadPoolExecutor | None = None
        if cores > 1:
            self._pool = ThreadPoolExecutor(cores, "bench", initializer=torch.set_num_threads, initargs=(1,))

    def expect(self, tasks: int) -> None:
        """Says how many tasks there will be in all."""
        self._progress.update(self._bar, total=tasks * (self.rounds + 1))

    def each(self, work: Callable[[int], object]) -> None:
        """`work` for the number of every picture, on a thread for each core: who is free takes the next."""
        left = iter(range(self.pictures))  # of all threads: a task of the pool for each picture would take 50 us more

        def serve(_: int) -> None:
            for number in left:
                work(number)

        if self._pool is None:
            serve(0)
        else:
            list(self._pool.map(serve, range(self.cores)))

    def parts(self, work: Callable[[Sequence[int]], object]) -> None:
        """`work` for the numbers of all pictures, shared out to the cores: it may do something for all of its own first."""
        if self._pool is None:
            work(range(self.pictures))
        else:
            list(self._pool.map(work, (range(first, self.pictures, self.cores) for first in range(self.cores))))

    def timed(self, subject: str, tasks: Mapping[str, Callable[[], object]]) -> dict[str, Taken]:
        """What every task takes; a task works on all pictures. A first round, not counted, fills caches."""
        cpu: dict[str, list[float]] = {name: [] for name in tasks}
        wall: dict[str, list[float]] = {name: [] for name in tasks}
        for number in range(self.rounds + 1):
            for name, task in tasks.items():
                cpu_before_s, before_s = time.process_time(), time.perf_counter()
                task()
                cpu_s, wall_s = time.process_time() - cpu_before_s, time.perf_counter() - before_s
                rate = self.pictures / wall_s
                self._progress.update(self._bar, advance=1, rate=rate, description=f"{subject}: {name}")
                if number:
                    cpu[name].append(cpu_s / self.pictures * 1e6)
                    wall[name].append(wall_s / self.pictures * 1e6)
        return {name: Taken(tuple(cpu[name]), tuple(wall[name])) for name in tasks}

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


@contextmanager
def watch(pictures: int, rounds: int, cores: int) -> Iterator[Watch]:
    """A `Watch` whose progress line is on standard error."""
    with progress_line("pictures/s") as progress:
        made = Watch(pictures, rounds, cores, progress)
        try:
            yield made
        finally:
            made.close()


def summary(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Median and spread, from the first to the third quarter."""
    first, middle, third = np.percentile(values, (25, 50, 75)).tolist()
    return {"median": round(middle, digits), "spread": round(third - first, digits)}
