"""What `AUGMENT_SANDBOX=always` costs: CPU time to decode a JPEG in the worker, and in a process of the sandbox of its own.

    python -m benchmarks.sandbox [--rounds 7] [--pictures 20] [--json FILE]

Rounds of both alternate; CPU time is that of this process, of the sandbox's program and of all that it forked. Also: what
one suspect costs (a run from decode to encode), and what starting the sandbox does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from batching.execute import decoder
from batching.sandbox.sandbox import Sandbox, SandboxConfig, own_work
from kernels import codec
from kernels.codec import Limits
from kernels.recipe import Output

SIDES = (224, 512, 2048)
_TICKS = os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="The cost of decoding in the sandbox.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=20, help="decoded in each round")
    parser.add_argument("--json", type=Path, help="where the report is written, too")
    asked = parser.parse_args(arguments)
    report = measured(asked.rounds, asked.pictures)
    sys.stdout.write(f"{table(report)}\n")
    if asked.json:
        asked.json.write_text(f"{json.dumps(report, indent=2)}\n")
    return 0


def measured(rounds: int, pictures: int) -> dict[str, Any]:
    """The report: milliseconds of CPU time a picture, medians and spreads of the rounds."""
    sandbox = Sandbox(SandboxConfig())
    try:
        before_s = _cpu_s()
        measures = sandbox.measures()
        start_ms = 1000 * (_cpu_s() - before_s)
        here = decoder(Limits())
        sizes = []
        for side in SIDES:
            content = codec.encode(_photo_like(side), Output(format="jpeg"))
            ways = {"worker": lambda: here(content, "drop"), "sandbox": lambda: sandbox.decode(content, "drop")}  # noqa: B023  # called at once
            times = _times(ways, rounds, pictures)
            sizes.append({"side": side, "bytes": len(content), **{name: _summary(found) for name, found in times.items()}})
        work = own_work()
        suspect = _times({"suspect": lambda: sandbox.run(work)}, rounds, pictures)["suspect"]
    finally:
        sandbox.close()
    return {
        "unit": "ms of CPU time a picture",
        "machine": f"{os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("torch", "numpy", "simplejpeg")},
        "measures": sorted(measures),
        "rounds": rounds,
        "pictures": pictures,
        "decode": sizes,
        "suspect": _summary(suspect),
        "start_ms": round(start_ms),
    }


def table(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    lines = ["| JPEG | in the worker | in the sandbox | more |", "| --- | --- | --- | --- |"]
    for row in report["decode"]:
        worker, sandbox = row["worker"], row["sandbox"]
        more = sandbox["median"] - worker["median"]
        lines.append(f"| {row['side']}² | {_cell(worker)} | {_cell(sandbox)} | {more:.1f} |")
    lines.append(f"\nOne suspect of 32 x 24, whole: {_cell(report['suspect'])}; to start: {report['start_ms']} ms.")
    return "\n".join(lines)


def _times(ways: Mapping[str, Callable[[], object]], rounds: int, pictures: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            before_s = _cpu_s()
            for _ in range(pictures):
                way()
            time.sleep(0.05)  # what ended last is counted when it was waited for
            found[name].append(1000 * (_cpu_s() - before_s) / pictures)
    return found


def _cpu_s() -> float:
    """CPU time of this process and of its children, those that have ended included."""
    total = time.process_time()
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) / _TICKS
    return total


def _photo_like(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    random = np.random.default_rng(side)
    rows, columns = np.mgrid[0:side, 0:side]
    waves = np.stack([np.sin(rows / (9 + 7 * plane)) + np.cos(columns / (11 + 5 * plane)) for plane in range(3)], axis=-1)
    return (128 + 50 * waves + random.normal(0, 6, (side, side, 3))).clip(0, 255).astype(np.uint8)


def _summary(times: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(times), 2), "least": round(min(times), 2), "most": round(max(times), 2)}


def _cell(summary: dict[str, float]) -> str:
    return f"{summary['median']:.1f} ms ({summary['least']:.1f}-{summary['most']:.1f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
