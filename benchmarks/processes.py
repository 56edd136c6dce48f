"""CPU time and memory of a running system, by kind of process, read from /proc."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

_TICKS_S = os.sysconf("SC_CLK_TCK")
_MARKS = {
    "worker": re.compile(r"service\.system\.worker_main|benchmarks\.handoff\.worker"),
    "sandbox": re.compile(r"batching\.sandbox\.zygote"),
    "api": re.compile(r"\bservice api\b"),
    "reconciler": re.compile(r"\bservice reconciler\b"),
    "up": re.compile(r"\bservice up\b"),
    "valkey": re.compile(r"valkey|redis-server"),
    "postgres": re.compile(r"postgres"),
}
"""What tells the kinds apart, in a process's command line."""


def cpu_by_process(root: int) -> dict[str, float]:
    """CPU seconds so far, user and system, of each kind of process below `root`, children that have ended included."""
    total: Counter[str] = Counter()
    for folder, kind in _below(root):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total[kind] += sum(int(field) for field in fields[11:15]) / _TICKS_S  # type: ignore[assignment]  # seconds
    return dict(total)


def memory_by_process(root: int) -> dict[str, float]:
    """MiB of memory of each kind of process below `root`: what no other process shares, summed over the kind's processes.

    Of the memory that PostgreSQL's processes share, nothing is counted.
    """
    total: Counter[str] = Counter()
    for folder, kind in _below(root):
        try:
            resident, shared = (int(field) for field in (folder / "statm").read_text().split()[1:3])
        except (FileNotFoundError, ProcessLookupError):
            continue
        total[kind] += (resident - shared) * os.sysconf("SC_PAGE_SIZE") / 2**20  # type: ignore[assignment]  # MiB
    return {kind: round(mebibytes, 1) for kind, mebibytes in total.items()}


def environment_of(root: int, kind: str) -> dict[str, str]:
    """The servers and the store that a process of that kind below `root` was told of, as environment variables.

    LookupError where there is none.
    """
    for folder, found in _below(root):
        if found == kind:
            pairs = (pair.partition("=") for pair in (folder / "environ").read_text().split("\0"))
            return {name: value for name, _, value in pairs if name in ("DATABASE_URL", "REDIS_URL", "AUGMENT_DATA")}
    raise LookupError(f"no {kind} runs")


def pids_below(root: int) -> set[int]:
    """The processes that run below `root`, itself among them."""
    return {int(folder.name) for folder, _ in _below(root)}


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two readings, by kind."""
    return {kind: round(seconds - before.get(kind, 0.0), 3) for kind, seconds in sorted(after.items())}


def _below(root: int) -> Iterator[tuple[Path, str]]:
    parents: dict[int, int] = {}
    kinds: dict[int, tuple[Path, str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)] = parent
        kinds[int(folder.name)] = folder, _kind(line)
    for pid, found in kinds.items():
        ancestor = pid
        while ancestor in parents and ancestor != root:
            ancestor = parents[ancestor]
        if ancestor == root:
            yield found


def _kind(line: str) -> str:
    return next((name for name, mark in _MARKS.items() if mark.search(line)), "other")
