"""A quiet tenant beside a noisy one: how long its pictures take, in turns without and with a hundred times its load."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import httpx2

from batching.items import Priority
from tests.helpers.faults.canary import canary
from tests.helpers.faults.checker import custom_id
from tests.helpers.faults.history import numbers_of, submit

TIMES = 100
"""Pictures of the noisy tenant for each of the quiet one."""


@dataclass
class Measured:
    """Seconds from a request to its finished picture."""

    alone: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    """While a hundred times as many pictures of another tenant wait and run."""
    sending: list[float] = field(default_factory=list)
    """While they are sent, too."""
    noise: int = 0
    """Pictures of the noisy tenant that were accepted."""
    met: int = 0
    """How often some of them were unfinished when the quiet one came, of the times that they waited."""

    def text(self) -> str:
        """The figures in one line."""
        times = {"alone": self.alone, "while others wait": self.waiting, "while they are sent": self.sending}
        figures = [
            f"{name} median {percentile(found, 50) * 1000:.0f} ms, p95 {percentile(found, 95) * 1000:.0f} ms"
            for name, found in times.items()
        ]
        return f"{len(self.alone)} pictures of each kind, {self.noise} of the other tenant: {'; '.join(figures)}"


def percentile(values: list[float], percent: int) -> float:
    """The nearest value of the sorted ones."""
    return sorted(values)[round((len(values) - 1) * percent / 100)]


def quiet_beside_noise(
    quiet: httpx2.Client, noisy: httpx2.Client, rounds: int, samples: int, priority: Priority = "interactive"
) -> Measured:
    """Measures all three in turns, so that what else the machine does meanwhile is the same for each.

    priority: of the quiet tenant's pictures; the other's are bulk.
    """
    measured = Measured()
    took_s(quiet, priority)
    for _ in range(rounds):
        measured.alone += [took_s(quiet, priority) for _ in range(samples)]
        for times, while_sending in ((measured.waiting, False), (measured.sending, True)):
            noise = Noise(noisy, samples)
            noise.begun.wait(60)
            if not while_sending:
                noise.sent_all()
            for _ in range(samples):
                measured.met += not while_sending and noise.unfinished() > 0
                times.append(took_s(quiet, priority))
            noise.end()
            measured.noise += noise.sent
    return measured


def took_s(client: httpx2.Client, priority: Priority) -> float:
    """Seconds until one picture sent in a batch of its own is finished."""
    [number] = numbers_of(1)
    began_s = time.perf_counter()
    call = submit(client, f"quiet-{number}", {custom_id(number): canary(number)}, 1, priority=priority)
    assert call.status == 202, call
    while client.get(f"/v1/batches/{call.batch_id}", headers={"Prefer": "wait=10"}).json()["state"] != "completed":
        pass
    return time.perf_counter() - began_s


class Noise:
    """A tenant that submits as much at once as it may, before and while the other one's pictures are timed."""

    def __init__(self, client: httpx2.Client, samples: int) -> None:
        self._client, self._left, self._batches = client, samples, list[str]()
        self.sent = 0
        self.begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="noise", daemon=True)
        self._thread.start()

    def unfinished(self) -> int:
        """Pictures that wait or run."""
        last = self._batches[-1:]
        counts = [self._client.get(f"/v1/batches/{identity}").json()["counts"] for identity in last]
        return sum(count["total"] - count["succeeded"] - count["failed"] - count["cancelled"] for count in counts)

    def sent_all(self) -> None:
        """Waits until everything is accepted."""
        self._thread.join(120)

    def end(self) -> None:
        """Waits until everything is accepted, and cancels what is left of it."""
        self.sent_all()
        for identity in self._batches:
            self._client.post(f"/v1/batches/{identity}/cancel")
        while self.unfinished():
            time.sleep(0.05)

    def _run(self) -> None:
        for _ in range(self._left):
            numbers = numbers_of(TIMES)
            call = submit(self._client, f"noise-{numbers[0]}", {custom_id(one): canary(one) for one in numbers}, 1)
            assert call.batch_id, call
            self._batches.append(call.batch_id)
            self.sent += TIMES
            self.begun.set()
