"""What the same work costs in process: the same files, decoded, planned, run and encoded one by one.

A process of its own, started with the allocator that workers have (`in_process`). It answers each line of its standard
input, what to do for how long, with what a picture took meanwhile; both are JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from benchmarks.service.pictures import Mix, files
from service.system.tuning import ALLOCATOR, ONE_THREAD


@dataclass(frozen=True)
class Cost:
    """What one picture, all its variants, takes."""

    cpu_ms: float
    mib_in: float
    mib_out: float
    """Of all its variants."""


@contextmanager
def in_process() -> Iterator[Callable[[float, Mix], Cost]]:
    """measure(seconds, mix) -> what a picture costs, on as many threads as the system's worker has."""
    threads = len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.service.floor", str(threads)]
    environment = {**os.environ, **ALLOCATOR, **ONE_THREAD}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603  # ours
        questions, answers = child.stdin, child.stdout
        assert questions is not None
        assert answers is not None

        def measure(seconds: float, mix: Mix) -> Cost:
            questions.write(json.dumps({"seconds": seconds, **asdict(mix)}) + "\n")
            questions.flush()
            return Cost(**json.loads(answers.readline()))

        try:
            yield measure
        finally:
            questions.close()


def _main(threads: int) -> None:
    import cv2
    import torch

    from benchmarks.kernels.ours import CPU
    from kernels.run import warm

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm(CPU)
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for line in sys.stdin:
            asked = json.loads(line)
            seconds = asked.pop("seconds")
            cost = _measured(pool, threads, seconds, Mix(**asked))
            sys.stdout.write(json.dumps(asdict(cost)) + "\n")
            sys.stdout.flush()


def _measured(pool: ThreadPoolExecutor, threads: int, seconds: float, mix: Mix) -> Cost:
    from benchmarks.service.work import results
    from kernels.recipe import Recipe

    recipe, sent = Recipe.parse(dict(mix.recipe)), files(distinct=16, side=mix.side)

    def work(until_s: float) -> tuple[int, int, int]:
        done = bytes_in = bytes_out = 0
        while time.monotonic() < until_s:
            content = sent.next()
            bytes_out += sum(len(result) for result in results(recipe, content, done, mix.variants))
            done, bytes_in = done + 1, bytes_in + len(content)
        return done, bytes_in, bytes_out

    list(pool.map(work, [time.monotonic() + seconds / 4] * threads))
    before_s = time.process_time()
    counts = list(pool.map(work, [time.monotonic() + seconds] * threads))
    spent_s = time.process_time() - before_s
    done, bytes_in, bytes_out = (sum(column) for column in zip(*counts, strict=True))
    return Cost(round(1000 * spent_s / done, 4), round(bytes_in / done / 2**20, 5), round(bytes_out / done / 2**20, 5))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
