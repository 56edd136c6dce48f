"""Load: a thread that submits canaries, and the history of what it was told."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.helpers.faults.canary import OUTPUT, STEPS, canary
from tests.helpers.faults.checker import Expected, custom_id
from tests.helpers.http import batch_parts

VARIANTS = 2
PICTURES_A_BATCH = 12
_numbers = itertools.count(1)
CUT = frozenset({"image_truncated", "image_corrupt", "image_unreadable"})
"""How a picture that was cut short may fail."""


@dataclass(frozen=True)
class Call:
    """One request and its answer."""

    key: str
    at_s: float
    took_s: float
    status: int | None
    """None: there was no answer."""
    code: str | None = None
    batch_id: str | None = None
    retry_after: str | None = None


@dataclass
class History:
    """What clients sent and were told."""

    calls: list[Call] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    """Of every acknowledged item."""

    @property
    def unanswered(self) -> int:
        return sum(call.status is None for call in self.calls)

    @property
    def refused(self) -> int:
        return sum(call.status is not None and call.status >= 400 for call in self.calls)


class Load:
    """Submits batches of canaries, every twentieth picture cut short; tries each until it is acked, or `stop`."""

    def __init__(
        self, client: httpx2.Client, history: History, *, batches: int, variants: int = VARIANTS, poison: str = ""
    ) -> None:
        """poison: what one picture of the first batch does to its decoder."""
        self._client, self._history, self._batches, self._variants = client, history, batches, variants
        self._poison = poison
        self._stopping = threading.Event()
        self.acked = 0
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> Load:
        self._thread.start()
        return self

    @property
    def alive(self) -> bool:
        """Whether it has something left to submit."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Gives up on what is not acknowledged yet."""
        self._stopping.set()
        self._thread.join(60)

    def join(self, timeout_s: float) -> None:
        """Waits until every batch is acknowledged."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), (
            f"submits are still not acknowledged after {timeout_s:g} s: {self._history.calls[-3:]}"
        )
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            for place in range(self._batches):
                self._submit(self._poison if place == 0 else "")
        except Exception as error:
            self.error = error

    def _submit(self, poison: str) -> None:
        numbers = [next(_numbers) for _ in range(PICTURES_A_BATCH)]
        wanted: dict[int, frozenset[str]] = {number: CUT if number % 20 == 0 else frozenset() for number in numbers}
        pictures = {custom_id(number): canary(number, truncated=bool(codes)) for number, codes in wanted.items()}
        if poison:
            wanted[numbers[5]] = frozenset({"poison", "resource_exhausted"})
            pictures[custom_id(numbers[5])] = canary(numbers[5], poison=poison)
        key = f"load-{numbers[0]}"
        while not self._stopping.is_set():
            call = submit(self._client, key, pictures, self._variants)
            self._history.calls.append(call)
            if call.status == 202 and call.batch_id:
                self._history.expected += [
                    Expected(call.batch_id, number, self._variants, codes) for number, codes in wanted.items()
                ]
                self.acked += len(numbers)
                return
            self._stopping.wait(0.1)


def submit(client: httpx2.Client, key: str, pictures: dict[str, bytes], variants: int, **fields: Any) -> Call:
    """One try of one batch."""
    request = {"recipe": {"steps": STEPS, "output": OUTPUT}, "variants": variants, "seed": 3, **fields}
    at_s = time.time()
    try:
        answer = client.post(
            "/v1/batches", files=batch_parts(pictures, request), headers={"Idempotency-Key": key}, timeout=20
        )
    except httpx2.TransportError:
        return Call(key, at_s, time.time() - at_s, None)
    document: dict[str, Any] = {}
    with suppress(json.JSONDecodeError):
        document = answer.json()
    return Call(
        key,
        at_s,
        time.time() - at_s,
        answer.status_code,
        document.get("code"),
        document.get("id"),
        answer.headers.get("retry-after"),
    )


def numbers_of(count: int) -> Sequence[int]:
    """Fresh numbers for canaries."""
    return [next(_numbers) for _ in range(count)]
