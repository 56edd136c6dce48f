"""When to try a request again, and how long to wait before: Retry-After where the service says, else doubling pauses."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 15.0


@dataclass(frozen=True)
class Clock:
    """Time and chance as the client sees them; a test gives its own."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = random.random


class Patience:
    """The tries of one request: `pause` waits before the next one, or answers that patience is over."""

    def __init__(self, patience_s: float, clock: Clock) -> None:
        self._clock = clock
        self._until_s = clock.now_s() + patience_s
        self._tries = 0

    def pause(self, retry_after_s: float | None = None) -> bool:
        """False, at once, if the next try would come too late. Pauses are spread: clients must not come back together."""
        pause_s = min(FIRST_PAUSE_S * 2**self._tries, LONGEST_PAUSE_S) * (0.5 + 0.5 * self._clock.fraction())
        if retry_after_s is not None:
            pause_s = max(retry_after_s, 0.1) + 0.5 * self._clock.fraction()
        if self._clock.now_s() + pause_s > self._until_s:
            return False
        self._tries += 1
        self._clock.sleep(pause_s)
        return True


def retry_after_s(header: str | None) -> float | None:
    """Seconds asked for by a Retry-After header, which holds a number or a date; None where it holds neither."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
