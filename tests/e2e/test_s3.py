"""The whole system on S3: pictures and results in a bucket, readers sent to it, workers with no folder in common."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from service.client import Client
from tests.e2e.conftest import Up
from tests.helpers.http import jpeg
from tests.helpers.s3 import s3_server

RECIPE = {"steps": [{"op": "rotate", "degrees": [-20, 20]}, {"op": "hflip", "chance": 0.5}]}


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, s3: dict[str, str]) -> Iterator[Up]:
    """A system whose store is the bucket; its own worker is one of two groups."""
    home = tmp_path_factory.mktemp("s3")
    started = Up(home / "first", AUGMENT_STORE_URL="s3://pictures/service", **s3)
    try:
        started.ready()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def second_group(system: Up, s3: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Another `augment worker`, with a work folder of its own, that shares only servers and bucket with the first."""
    worker = next(path for path in Path("/proc").glob("[0-9]*") if _is_worker_of(path, system.process.pid))
    theirs = dict(pair.split("=", 1) for pair in (worker / "environ").read_text().split("\0") if "=" in pair)
    shared = {name: theirs[name] for name in ("DATABASE_URL", "REDIS_URL", "AUGMENT_STORE_URL")}
    home = tmp_path_factory.mktemp("second")
    command = (sys.executable, "-m", "service", "worker")
    environment = {**os.environ, **s3, **shared, "AUGMENT_DEVICE": "cpu", "AUGMENT_DATA": str(home)}
    with subprocess.Popen(command, env=environment, cwd=home) as group:
        try:
            yield
        finally:
            group.send_signal(signal.SIGTERM)
            group.wait(60)


def _is_worker_of(folder: Path, pid: int) -> bool:
    try:
        parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        return parent == pid and b"service.system.worker_main" in (folder / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_results_are_read_from_the_bucket(system: Up, s3: dict[str, str]) -> None:
    with Client(system.url) as client, httpx2.Client(base_url=system.url, trust_env=False) as plain:
        batch = client.submit_batch({f"{n}.jpg": jpeg(seed=n) for n in range(4)}, RECIPE, seed=7, variants=2)
        client.wait(batch.id)
        outputs = list(client.outputs(batch.id))
        sent_on = plain.get(f"/v1/outputs/{outputs[0].id}/content")
        known = plain.get(f"/v1/outputs/{outputs[0].id}/content", headers={"If-None-Match": f'"{outputs[0].sha256}"'})

        assert len(outputs) == 8
        assert sent_on.status_code == 307
        assert urlsplit(sent_on.headers["location"]).netloc == urlsplit(s3["AWS_ENDPOINT_URL"]).netloc
        assert sent_on.headers["cache-control"] == "no-store"
        assert known.status_code == 304
        for output in outputs:
            assert hashlib.sha256(client.content(output.id)).hexdigest() == output.sha256
    assert not list((system.data / "store").rglob("*.jpg")), "nothing is kept beside the bucket"


@pytest.mark.long
def test_two_groups_of_workers_share_the_work(system: Up, second_group: None) -> None:
    with Client(system.url) as client, httpx2.Client(base_url=system.url, trust_env=False) as plain:
        for _ in range(600):
            if len(plain.get("/readyz?workers=1").json().get("workers", ())) == 2:
                break
        batch = client.submit_batch({f"{n}.jpg": jpeg(seed=n) for n in range(200)}, RECIPE, seed=7)
        client.wait(batch.id)
        outputs = list(client.outputs(batch.id))

        assert len(outputs) == 200
        assert {hashlib.sha256(client.content(output.id)).hexdigest() == output.sha256 for output in outputs[::20]} == {
            True
        }
