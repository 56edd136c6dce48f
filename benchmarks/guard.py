"""Guards the hot path: P beside OpenCV's P in the same run, against the ratio that was recorded for this class of CPU.

    python -m benchmarks.guard [--plant 0.3] [--record] [--json FILE]

Ends with status 1 when P takes longer, measured in OpenCV's time, than what was recorded and the margin allow. Both take
turns, CPU time is counted and a miss is measured again, so that a busy machine does not fail it; a regression does,
each time. `--plant` slows our way down by that part, to show that it is seen; `--record` writes what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from service.system.tuning import ALLOCATOR, ONE_THREAD

RECORDED = Path(__file__).with_name("guard.json")
MARGIN = 0.15
"""How much slower than recorded, as a part of it, is no regression yet."""
ATTEMPTS = 3
"""Measurements until a miss counts as one."""
_PICTURES, _ROUNDS = 16, 15
_PEER = "opencv"


def main(arguments: Sequence[str]) -> int:
    """Measures, says what it found, and returns the exit status."""
    asked = _arguments(arguments)
    tuned = ALLOCATOR | ONE_THREAD
    if any(os.environ.get(name) != value for name, value in tuned.items()):
        # the allocator and the libraries read them when a process starts
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.guard", *arguments], {**os.environ, **tuned})  # noqa: S606
    from benchmarks.machine import facts
    from kernels.version import cpu_class

    known = facts(("numba", "opencv-python-headless", "simplejpeg", "torch"))
    recorded: dict[str, Any] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    name = cpu_class()
    if asked.record:
        measured = [round(_ratio(asked.plant), 3) for _ in range(ATTEMPTS)]
        recorded[name] = {"ratio": median(measured), "processor": known["machine"]["processor"], "commit": known["commit"]}
        RECORDED.write_text(json.dumps(recorded, indent=2) + "\n")
        sys.stdout.write(f"recorded for {name}: {recorded[name]['ratio']:.3f} of {_PEER}'s time\n")
        return 0
    if name not in recorded:
        sys.stdout.write(f"nothing is recorded for CPUs of the class {name}, so nothing is judged; --record does\n")
        return 0
    expected = recorded[name]["ratio"]
    limit = expected * (1 + MARGIN)
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS and not (ratios and ratios[-1] <= limit):
        ratios.append(round(_ratio(asked.plant), 3))
        sys.stdout.write(
            f"P takes {ratios[-1]:.3f} of {_PEER}'s time; recorded {expected:.3f}, limit {limit:.3f} ({name})\n"
        )
    passed = min(ratios) <= limit
    if not passed:
        sys.stdout.write(f"the hot path is at least {min(ratios) / expected - 1:.0%} slower than recorded\n")
    if asked.json:
        said = {"cpu_class": name, "ratios": ratios, "recorded": expected, "limit": round(limit, 3), "passed": passed}
        asked.json.write_text(json.dumps({**known, **said}, indent=2) + "\n")
    return 0 if passed else 1


def _ratio(planted: float) -> float:
    """CPU time of P by the kernels over that of P by OpenCV, the median over the rounds."""
    import cv2
    import torch

    from benchmarks.kernels.measure import ratio, watch
    from benchmarks.kernels.ours import CPU
    from benchmarks.kernels.peers.opencv import PEER
    from benchmarks.kernels.pictures import photographs
    from benchmarks.kernels.pipelines import reference_tasks
    from kernels.run import warm

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    warm(CPU)
    with watch(_PICTURES, _ROUNDS, 1) as clock:
        tasks = reference_tasks(clock, photographs(_PICTURES), [PEER])
        clock.expect(2)
        taken = clock.timed("guard", {"kernels": _slowed(tasks["kernels"], planted), _PEER: tasks[_PEER]})
    return ratio(taken["kernels"], taken[_PEER], "cpu_us")


def _slowed(task: Callable[[], object], part: float) -> Callable[[], None]:
    """The task, and that part of its CPU time again, spent on nothing."""

    def slowed() -> None:
        begun_s = time.process_time()
        task()
        end_s = time.process_time() + part * (time.process_time() - begun_s)
        while time.process_time() < end_s:
            pass

    return slowed


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plant", type=float, default=0.0, help="slow our way down by that part")
    parser.add_argument("--record", action="store_true", help="write what is measured as what is expected")
    parser.add_argument("--json", type=Path, help="write the report here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
