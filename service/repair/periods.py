"""Periods: what is done now and then, not at every pass."""

from __future__ import annotations

import time
from collections.abc import Callable


class Period:
    """Says when something is due: at once, and then every `every_s`."""

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._due_s = float("-inf")

    @property
    def due(self) -> bool:
        return self._clock() >= self._due_s

    def done(self) -> None:
        """It has been done: not again before `every_s`."""
        self._due_s = self._clock() + self._every_s
