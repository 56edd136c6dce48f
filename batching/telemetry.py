"""What a worker says of itself: counts and times that only grow, kept in memory and announced in Redis as text.

Field names: `stage_s:{stage}` and `stage_n:{stage}` (seconds and calls of each stage: take, lease, pin, recall
and copy of earlier results, fetch, wait for an engine thread, decode, run, encode, store, finish, settle), `outcome:{code}`
(items by result, `succeeded` or an error's code), `micro_batch_items:{most}` (micro-batches of at most that many items),
and plain counters (`outputs`, `fenced`, `jobs`, `cached`, ...).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Tally:
    """Counts and times of one worker process. Any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def spent(self, stage: str, seconds: float, calls: int = 1) -> None:
        """Adds time that a stage took."""
        with self._lock:
            self._seconds[stage] += seconds  # type: ignore[assignment]  # Counter is typed for int, and adds floats
            self._counts[f"stage_n:{stage}"] += calls

    def count(self, name: str, number: int = 1) -> None:
        """Adds to a counter."""
        with self._lock:
            self._counts[name] += number

    def micro_batch(self, items: int) -> None:
        """Adds one micro-batch to the histogram of their sizes."""
        most = next((size for size in SIZES if items <= size), "inf")
        self.count(f"micro_batch_items:{most}")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures one call of a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent(name, time.perf_counter() - start)

    def facts(self) -> dict[str, str]:
        """All counts and times, as the fields of the worker's hash in Redis."""
        with self._lock:
            counts = {name: str(number) for name, number in self._counts.items()}
            return counts | {f"stage_s:{stage}": f"{seconds:.6f}" for stage, seconds in self._seconds.items()}
