"""The load: the same pictures by the same clients to every service, each in its own form."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.peers.frames import pack, unpack
from benchmarks.peers.peer import OURS, Peer
from benchmarks.service import scenarios
from benchmarks.service.load import Connection, Record, closed_loop
from benchmarks.service.scenarios import BATCHES_AT_ONCE, Load

_JPEG = b"\xff\xd8\xff"


def single(peer: Peer, load: Load) -> Record:
    """One picture a request, `clients` clients."""
    if peer is OURS:
        return scenarios.single(load)
    return closed_loop(load.url, partial(_once, load, 1), load.clients, load.seconds)


def batches(peer: Peer, load: Load) -> Record:
    """`batch` pictures a request, four clients."""
    if peer is OURS:
        return scenarios.batches(load)
    return closed_loop(load.url, partial(_once, load, load.batch), BATCHES_AT_ONCE, load.seconds)


SCENARIOS: Mapping[str, Callable[[Peer, Load], Record]] = {"single": single, "batches": batches}


def _once(load: Load, pictures: int, connection: Connection, record: Record, due_s: float) -> None:
    body = pack(load.files.next() for _ in range(pictures))
    answer = connection.ask("POST", "/augment", body, Content_Type="application/octet-stream")
    made = unpack(answer.body) if answer.status == 200 else []
    right = len(made) == pictures and all(picture.startswith(_JPEG) for picture in made)
    record.add(time.monotonic() - due_s, pictures if right else 0, answer)
