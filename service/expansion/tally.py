"""How far an expansion is: counted by its threads, read by whoever shows it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_S = 20.0


@dataclass(frozen=True)
class Reading:
    """The state of an expansion at one moment. Pictures are counted, each with all of its variants."""

    total: int
    done: int
    failed: int
    before: int
    """Pictures that an earlier run had finished; they are part of `done` and `failed`."""
    elapsed_s: float
    rate: float
    """Pictures per second of late; 0 before the first."""
    left_s: float | None
    """Seconds to the end at that rate."""
    found: int
    """Pictures found so far, while the folder is still being read."""

    labels: int = 0
    """Labels written beside results so far, earlier runs included."""
    labels_dropped: int = 0

    @property
    def finished(self) -> int:
        return self.done + self.failed


class Tally:
    """Counts that threads move; `reading` is the whole at one moment."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._now_s = now_s
        self._begun_s = now_s()
        self._total = self._done = self._failed = self._before = self._found = 0
        self._labels = self._labels_dropped = 0
        self._running: dict[int, tuple[int, int]] = {}
        self._marks: deque[tuple[float, int]] = deque()

    def found(self, pictures: int) -> None:
        with self._lock:
            self._found += pictures

    def begin(self, total: int, done: int, failed: int) -> None:
        """The folder is read: this many pictures in all, some of them finished before."""
        with self._lock:
            self._total, self._done, self._failed, self._before = total, done, failed, done + failed
            self._begun_s = self._now_s()
            self._marks.clear()

    def running(self, chunk_id: int, done: int, failed: int) -> None:
        """So many pictures of a chunk are final on the service."""
        with self._lock:
            self._running[chunk_id] = (done, failed)

    def finished(self, chunk_id: int, done: int, failed: int) -> None:
        """The chunk's outputs are on disk, and this is what became of its pictures."""
        with self._lock:
            self._running.pop(chunk_id, None)
            self._done += done
            self._failed += failed

    def labelled(self, labels: int, dropped: int) -> None:
        """So many labels more lie beside results, and so many were dropped."""
        with self._lock:
            self._labels += labels
            self._labels_dropped += dropped

    def reading(self) -> Reading:
        with self._lock:
            now_s = self._now_s()
            done = self._done + sum(pair[0] for pair in self._running.values())
            failed = self._failed + sum(pair[1] for pair in self._running.values())
            finished = done + failed - self._before
            self._marks.append((now_s, finished))
            while len(self._marks) > 2 and now_s - self._marks[0][0] > _WINDOW_S:
                self._marks.popleft()
            then_s, earlier = self._marks[0]
            if then_s - self._begun_s < 1.0:  # the first mark stands for the beginning
                then_s, earlier = self._begun_s, 0
            rate = max(0.0, (finished - earlier) / (now_s - then_s)) if now_s > then_s else 0.0
            left_s = (self._total - done - failed) / rate if rate else None
            elapsed_s, labels = now_s - self._begun_s, (self._labels, self._labels_dropped)
            return Reading(self._total, done, failed, self._before, elapsed_s, rate, left_s, self._found, *labels)
