"""A quiet tenant beside a noisy one: how long its pictures take, in turns without and with a hundred times its load."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field

import httpx2

from batching.items import Priority
from tests.helpers.faults.canary import OUTPUT, STEPS, canary
from tests.helpers.faults.checker import custom_id
from tests.helpers.faults.history import numbers_of
from tests.helpers.http import batch_parts

TIMES = 100
"""Pictures of the noisy tenant for each of the quiet one, all in one batch."""
TURNS = 2
BATCHES = 4
"""That are made before anything is timed, and sent in turns."""


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
        ratios = f"p95 {self.times(self.waiting, 95):.1f} and {self.times(self.sending, 95):.1f} times alone"
        return f"{len(self.alone)} pictures of each kind, {self.noise} of the other tenant: {'; '.join(figures)}; {ratios}"

    def times(self, taken: list[float], percent: int) -> float:
        """A percentile of what pictures took, as a multiple of that alone."""
        return percentile(taken, percent) / percentile(self.alone, percent)


def percentile(values: list[float], percent: int) -> float:
    """The nearest value of the sorted ones."""
    return sorted(values)[round((len(values) - 1) * percent / 100)]


def quiet_beside_noise(quiet: httpx2.Client, noisy: httpx2.Client, samples: int, priority: Priority) -> Measured:
    """Measures all three in turns, so that what else the machine does meanwhile is the same for each.

    priority: of the quiet tenant's pictures; the other's are bulk.
    """
    measured = Measured()
    took_s(quiet, priority)
    for turn in range(TURNS):
        taken = samples // TURNS
        measured.alone += [took_s(quiet, priority) for _ in range(taken)]
        both = ((measured.waiting, False), (measured.sending, True))
        for times, while_sending in both if turn % 2 else reversed(both):
            noise = Noise(noisy, taken)
            noise.begun.wait(60)
            if not while_sending:
                noise.sent_all()
            for _ in range(taken):
                measured.met += not while_sending and noise.unfinished() > 0
                times.append(took_s(quiet, priority))
            noise.end()
            measured.noise += noise.sent
    return measured


def took_s(client: httpx2.Client, priority: Priority) -> float:
    """Seconds until one picture sent in a batch of its own is finished."""
    request = batch_of(client, 1, priority)
    began_s = time.perf_counter()
    answer = client.send(request)
    assert answer.status_code == 202, answer.text
    path = f"/v1/batches/{answer.json()['id']}"
    while client.get(path, headers={"Prefer": "wait=10"}).json()["state"] != "completed":
        pass
    return time.perf_counter() - began_s


def batch_of(client: httpx2.Client, pictures: int, priority: Priority) -> httpx2.Request:
    """A batch of so many canaries, ready to be sent: what a client does to make it is not what is measured."""
    files = {custom_id(number): canary(number) for number in numbers_of(pictures)}
    ask = {"recipe": {"steps": STEPS, "output": OUTPUT}, "variants": 1, "seed": 3, "priority": priority}
    request = client.build_request("POST", "/v1/batches", files=batch_parts(files, ask))
    request.read()
    return request


class Noise:
    """A tenant that submits as much at once as it may, before and while the other one's pictures are timed."""

    def __init__(self, client: httpx2.Client, samples: int) -> None:
        """samples: pictures of the quiet one, for each of which there are at least `TIMES` of this one."""
        self._client, self._least, self._batches = client, samples * TIMES, list[str]()
        self._requests = [batch_of(client, TIMES, "bulk") for _ in range(BATCHES)]
        self.sent = 0
        self.begun, self._enough = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="noise", daemon=True)
        self._thread.start()

    def unfinished(self) -> int:
        """Pictures that wait or run."""
        last = self._batches[-1:]
        counts = [self._client.get(f"/v1/batches/{identity}").json()["counts"] for identity in last]
        return sum(count["total"] - count["succeeded"] - count["failed"] - count["cancelled"] for count in counts)

    def sent_all(self) -> None:
        """Waits until as much as is to wait is accepted."""
        self._enough.set()
        self._thread.join(120)

    def end(self) -> None:
        """Waits until everything is accepted, and cancels what is left of it."""
        self.sent_all()
        for identity in self._batches:
            self._client.post(f"/v1/batches/{identity}/cancel")
        while self.unfinished():
            time.sleep(0.05)

    def _run(self) -> None:
        requests = itertools.cycle(self._requests)  # without a key, so each is another batch
        while self.sent < self._least or not self._enough.is_set():
            answer = self._client.send(next(requests))
            if answer.status_code == 429:  # it may have no more waiting
                self._enough.wait(0.05)
                continue
            assert answer.status_code == 202, answer.text
            self._batches.append(answer.json()["id"])
            self.sent += TIMES
            self.begun.set()
