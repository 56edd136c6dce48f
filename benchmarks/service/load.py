"""Load: clients on threads that send one request after another, or each at its time, and write down what came of it."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Answer:
    """The end of a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One client's connection, kept open from request to request."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self._connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=TIMEOUT_S)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, **headers: str) -> Answer:
        """Sends a request and reads the whole answer. Words of `headers` are joined by dashes where they have a _."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, named)
        answer = self._connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


@dataclass
class Record:
    """What clients write down together."""

    latencies_s: list[float] = field(default_factory=list)
    """Of each request that was answered with its results; open load counts from when the request was due."""
    pictures: int = 0
    """Pictures whose results were received."""
    statuses: Counter[int] = field(default_factory=Counter)
    retry_after_s: list[float] = field(default_factory=list)
    """What refused clients were told."""
    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, latency_s: float, pictures: int, answer: Answer) -> None:
        """One request's end; `pictures` is 0 where its results did not come."""
        with self._lock:
            self.statuses[answer.status] += 1
            self.pictures += pictures
            if pictures:
                self.latencies_s.append(latency_s)
            if "retry-after" in answer.headers and answer.status in (429, 503):
                self.retry_after_s.append(float(answer.headers["retry-after"]))


Once = Callable[[Connection, Record, float], None]
"""once(connection, record, due_s): one request and all that belongs to it, timed from `due_s` of time.monotonic()."""


def closed_loop(url: str, once: Once, clients: int, seconds: float) -> Record:
    """So many clients for so long, each asking again as soon as it is answered."""
    record = Record()
    begun_s = time.monotonic()

    def client(_: int) -> None:
        with Connection(url) as connection:
            while (now_s := time.monotonic()) < begun_s + seconds:
                once(connection, record, now_s)

    _together(client, clients)
    record.seconds = time.monotonic() - begun_s
    return record


def open_loop(url: str, once: Once, rate: float, clients: int, seconds: float) -> Record:
    """Requests that come by chance, `rate` a second, whether or not earlier ones are answered; at most `clients` wait."""
    record, chance, lock = Record(), random.Random(7), threading.Lock()
    begun_s = due_s = time.monotonic()

    def next_due_s() -> float:
        nonlocal due_s
        with lock:
            due_s += chance.expovariate(rate)
            return due_s

    def client(_: int) -> None:
        with Connection(url) as connection:
            while (at_s := next_due_s()) < begun_s + seconds:
                time.sleep(max(0.0, at_s - time.monotonic()))
                once(connection, record, at_s)

    _together(client, clients)
    record.seconds = time.monotonic() - begun_s
    return record


def one_by_one(url: str, once: Once, times: int, pause_s: float) -> Record:
    """One client that waits between an answer and its next request."""
    record = Record()
    begun_s = time.monotonic()
    with Connection(url) as connection:
        for _ in range(times):
            time.sleep(pause_s)
            once(connection, record, time.monotonic())
    record.seconds = time.monotonic() - begun_s
    return record


def _together(client: Callable[[int], None], clients: int) -> None:
    with ThreadPoolExecutor(clients, "client") as pool:
        list(pool.map(client, range(clients)))
