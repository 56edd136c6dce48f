"""What the same work costs in process: P over the same files, decoded, planned, run and encoded one by one.

A process of its own, started with the allocator that workers have (`in_process`), that answers each line of its standard
input, so many seconds, with the microseconds of CPU a picture took meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from service.system.programs import ALLOCATOR, ONE_THREAD


@contextmanager
def in_process() -> Iterator[Callable[[float], float]]:
    """measure(seconds) -> milliseconds of CPU a picture, on as many threads as the system's worker has."""
    threads = len(os.sched_getaffinity(0))
    command = [sys.executable, "-m", "benchmarks.service.floor", str(threads)]
    environment = {**os.environ, **ALLOCATOR, **ONE_THREAD}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603  # ours
        questions, answers = child.stdin, child.stdout
        assert questions is not None
        assert answers is not None

        def measure(seconds: float) -> float:
            questions.write(f"{seconds:g}\n")
            questions.flush()
            return round(float(answers.readline()) / 1000, 3)

        try:
            yield measure
        finally:
            questions.close()


def _main(threads: int) -> None:
    import cv2
    import torch

    from benchmarks.kernels.ours import CPU, augmented, planned
    from benchmarks.kernels.pictures import REFERENCE_PIPELINE
    from benchmarks.service.pictures import files
    from kernels import codec
    from kernels.recipe import Recipe
    from kernels.run import warm

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm(CPU)
    recipe, sent = Recipe.parse(REFERENCE_PIPELINE), files()

    def work(until_s: float) -> int:
        torch.set_num_threads(1)
        done = 0
        while time.monotonic() < until_s:
            pixels = codec.decode(sent.next())
            codec.encode(augmented(planned(recipe, [pixels])[0], pixels), recipe.output)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, [time.monotonic() + 0.5] * threads))
        for line in sys.stdin:
            before_s = time.process_time()
            done = sum(pool.map(work, [time.monotonic() + float(line)] * threads))
            sys.stdout.write(f"{(time.process_time() - before_s) / done * 1e6:.1f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
