"""The ways a service is used: many pictures at once, one at a time by many, one at a time by one, and both at once."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from benchmarks.service.load import Connection, Once, Record, closed_loop, one_by_one, open_loop
from benchmarks.service.pictures import Files, Mix, P, query
from service.client.multipart_body import Content, MultipartBody

WAIT_S = 60
BATCHES_AT_ONCE = 4
PAUSE_S = 0.02
"""Of the one interactive client, so that the system is idle when it asks."""
OPEN_CLIENTS = 256
"""Most requests of the open load under way; above it the load would be closed."""


@dataclass(frozen=True)
class Load:
    """How much is asked of each scenario."""

    url: str
    files: Files
    seconds: float = 10.0
    clients: int = 32
    batch: int = 16
    rate: float = 100.0
    mix: Mix = P


def single(load: Load) -> Record:
    """One picture a request by `clients` clients, each waiting for its answer."""
    return closed_loop(load.url, partial(_one, load), load.clients, load.seconds)


def batches(load: Load) -> Record:
    """Batches of `batch` pictures, four at once: sent, waited for, and their results read as one archive."""
    return closed_loop(load.url, partial(_batch, load), BATCHES_AT_ONCE, load.seconds)


def interactive(load: Load) -> Record:
    """One picture a request by one client, on a system that does nothing else."""
    return one_by_one(load.url, partial(_one, load), _times(load), PAUSE_S)


def mixed(load: Load) -> Record:
    """As `interactive`, while bulk batches keep the workers busy. Only the interactive pictures are counted."""
    with ThreadPoolExecutor(1) as pool:
        bulk = pool.submit(batches, load)
        time.sleep(min(1.0, load.seconds / 4))
        record = one_by_one(load.url, partial(_one, load), max(1, _times(load) // 2), PAUSE_S)
        behind = bulk.result()
    record.statuses += behind.statuses
    return record


def arriving(load: Load) -> Record:
    """One picture a request, `rate` a second, whether or not the service keeps up."""
    return open_loop(load.url, partial(_one, load), load.rate, OPEN_CLIENTS, load.seconds)


SCENARIOS: Mapping[str, Callable[[Load], Record]] = {
    "batches": batches,
    "single": single,
    "interactive": interactive,
    "mixed": mixed,
    "open": arriving,
}


def _times(load: Load) -> int:
    return max(10, int(load.seconds / 0.04))


def _one(load: Load, connection: Connection, record: Record, due_s: float) -> None:
    answer = connection.ask(
        "POST",
        f"/v1/augment?{query(load.mix)}",
        load.files.next(),
        Content_Type="image/jpeg",
        Prefer=f"wait={WAIT_S}",
    )
    record.add(time.monotonic() - due_s, int(answer.status == 200), answer)


def _batch(load: Load, connection: Connection, record: Record, due_s: float) -> None:
    pictures: dict[str, Content] = {f"{place}.jpg": load.files.next() for place in range(load.batch)}
    body = MultipartBody(load.mix.request(), "images", pictures)
    answer = connection.ask("POST", "/v1/batches", body, **body.headers)
    if answer.status != 202:
        record.add(time.monotonic() - due_s, 0, answer)
        return
    at = json.loads(answer.body)["links"]["self"]
    while json.loads(connection.ask("GET", at, Prefer=f"wait={WAIT_S}").body)["state"] != "completed":
        pass
    archive = connection.ask("GET", f"{at}/archive?format=tar")
    with tarfile.open(fileobj=io.BytesIO(archive.body)) as found:
        made = sum(not name.endswith(".jsonl") for name in found.getnames())
    record.add(time.monotonic() - due_s, made // load.mix.variants, archive)


__all__ = ["SCENARIOS", "Load", "Once"]
