"""Pauses between tries of what may soon work again."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_S = 0.05
LONGEST_S = 2.0


def back_off(first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> Iterator[float]:
    """Seconds to pause before each next try: doubling up to `longest_s`, spread so that not all try at once."""
    pause_s = first_s
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(2 * pause_s, longest_s)
