"""A quiet tenant beside a noisy one: how long its pictures take, in turns without and with a hundred times its load."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection

import httpx2

from batching.items import Priority
from tests.helpers.faults.canary import OUTPUT, STEPS, canary
from tests.helpers.faults.checker import Expected, custom_id
from tests.helpers.faults.history import numbers_of
from tests.helpers.http import batch_parts

TIMES = 100
"""Pictures of the noisy tenant for each of the quiet one, all in one batch."""
PACE_S = 0.1
"""The quiet tenant sends a picture this often, and the noisy one `TIMES`: more than a small machine computes."""
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
    expected: list[Expected] = field(default_factory=list)
    """Pictures of the quiet tenant, while others waited or were sent."""
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
    measured, taken = Measured(), samples // TURNS
    paced(quiet, 1, priority, [])
    with noise_of(noisy) as noise:
        for turn in range(TURNS):
            measured.alone += paced(quiet, taken, priority, [])
            for is_sending in (turn % 2 == 0, turn % 2 == 1):
                noise.begin(taken, None if is_sending else 0.0)
                if is_sending:
                    measured.sending += paced(quiet, taken, priority, measured.expected)
                    noise.end()
                else:
                    noise.end()
                    for _ in range(taken):
                        measured.met += noise.unfinished() > 0
                        measured.waiting += paced(quiet, 1, priority, measured.expected)
                noise.cancel()
            measured.noise = noise.sent
    return measured


def paced(client: httpx2.Client, samples: int, priority: Priority, sent: list[Expected]) -> list[float]:
    """`took_s` of one picture after the other, one in `PACE_S` where they take less; `sent` gets what was acknowledged."""
    taken: list[float] = []
    begun_s = time.perf_counter()
    for number in range(samples):
        time.sleep(max(0.0, begun_s + number * PACE_S - time.perf_counter()))
        taken.append(took_s(client, priority, sent))
    return taken


def took_s(client: httpx2.Client, priority: Priority, sent: list[Expected]) -> float:
    """Seconds until one picture sent in a batch of its own is finished."""
    [number] = numbers_of(1)
    request = batch_of(client, [number], priority)
    began_s = time.perf_counter()
    answer = client.send(request)
    assert answer.status_code == 202, answer.text
    sent.append(Expected(answer.json()["id"], number, 1))
    path = f"/v1/batches/{answer.json()['id']}"
    while client.get(path, headers={"Prefer": "wait=10"}).json()["state"] != "completed":
        pass
    return time.perf_counter() - began_s


def batch_of(client: httpx2.Client, numbers: Sequence[int], priority: Priority) -> httpx2.Request:
    """A batch of these canaries, ready to be sent: what a client does to make it is not what is measured."""
    files = {custom_id(number): canary(number) for number in numbers}
    ask = {"recipe": {"steps": STEPS, "output": OUTPUT}, "variants": 1, "seed": 3, "priority": priority}
    request = client.build_request("POST", "/v1/batches", files=batch_parts(files, ask))
    request.read()
    return request


class Noise:
    """A tenant that submits a hundred times as much, from a process of its own: it shares a machine, not an interpreter."""

    def __init__(self, client: httpx2.Client, process: Connection) -> None:
        self._client, self._process, self._batches = client, process, list[str]()

    @property
    def sent(self) -> int:
        """Pictures that were accepted."""
        return TIMES * len(self._batches)

    def begin(self, least: int, pace_s: float | None) -> None:
        """Begins to send, a batch in each pace; returns when the first is accepted. None: as the quiet one does.

        least: batches that it sends, however soon it is told to end.
        """
        self._process.send((least, PACE_S if pace_s is None else pace_s))
        self._process.recv()

    def end(self) -> None:
        """Returns when nothing is sent any more."""
        self._process.send(None)
        self._batches += self._process.recv()

    def unfinished(self) -> int:
        """Pictures that wait or run."""
        last = self._batches[-1:]
        counts = [self._client.get(f"/v1/batches/{identity}").json()["counts"] for identity in last]
        return sum(count["total"] - count["succeeded"] - count["failed"] - count["cancelled"] for count in counts)

    def cancel(self) -> None:
        """Cancels what waits, and returns when nothing runs."""
        for identity in self._batches:
            self._client.post(f"/v1/batches/{identity}/cancel")
        while self.unfinished():
            time.sleep(0.05)


@contextmanager
def noise_of(client: httpx2.Client) -> Iterator[Noise]:
    """The noisy tenant, ready to send; `client` is one of its."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(
        target=_serve, args=(str(client.base_url), dict(client.headers), theirs), daemon=True
    )
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield Noise(client, ours)
    finally:
        process.kill()
        process.join()


def _serve(url: str, headers: dict[str, str], asked: Connection) -> None:
    with httpx2.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        requests = itertools.cycle(
            [batch_of(client, numbers_of(TIMES), "bulk") for _ in range(BATCHES)]
        )  # no key: each is another batch
        asked.send("ready")
        while True:
            least, pace_s = asked.recv()
            accepted: list[str] = []
            begun_s = time.perf_counter()
            while len(accepted) < least or not asked.poll():
                time.sleep(max(0.0, begun_s + pace_s * len(accepted) - time.perf_counter()))
                answer = client.send(next(requests))
                if answer.status_code == 429:  # it may have no more waiting
                    time.sleep(0.05)
                    continue
                assert answer.status_code == 202, answer.text
                accepted.append(answer.json()["id"])
                if len(accepted) == 1:
                    asked.send("begun")
            asked.recv()
            asked.send(accepted)
