"""The services that are compared: how each is started, with which settings, and what a killed process costs its callers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.system.embedded import valkey_server
from service.system.processes import Program
from service.system.tuning import ALLOCATOR, ONE_THREAD

_ROOT = Path(__file__).parents[2]
NOTHING = "nothing"


@dataclass(frozen=True)
class Place:
    """Where a peer is started."""

    python: Path
    """The interpreter of its virtual environment."""
    home: Path
    port: int
    cores: int

    def program(self, name: str, module: str, *words: object, environment: Mapping[str, str] | None = None) -> Program:
        """A module of `benchmarks.peers.apps` as a program, with the allocator and the threads that our workers have."""
        command = (str(self.python), "-m", f"benchmarks.peers.apps.{module}", *(str(word) for word in words))
        ours = {"PYTHONPATH": str(_ROOT), **ALLOCATOR, **ONE_THREAD, **(environment or {})}
        return Program(name, command, self.home / f"{name}.log", ours, grace_s=30.0)


@dataclass(frozen=True)
class Peer:
    """One service."""

    name: str
    settings: str
    """What it runs with, and why."""
    survives: str
    """What of the accepted work is left after `kill -9`, by what the service promises."""
    programs: Callable[[Place], Sequence[Program]]
    """What to start, in this order; the first one that listens on the port is asked."""
    requirements: tuple[str, ...] = ()
    """What pip installs into its virtual environment, beside what this project has."""
    packages: tuple[str, ...] = field(default=("fastapi", "uvicorn"))
    """Whose versions the report names."""
    ready: str = "/"
    """The path that answers 200 once it can be asked."""


def _inline(place: Place) -> list[Program]:
    return [place.program("front", "inline", place.port, place.cores)]


def _threads(place: Place) -> list[Program]:
    return [place.program("front", "executors", place.port, "threads", place.cores)]


def _pool(place: Place) -> list[Program]:
    return [place.program("front", "executors", place.port, "processes", place.cores)]


def _litserve(place: Place) -> list[Program]:
    return [place.program("server", "litserve", place.port, place.cores)]


def _ray(place: Place) -> list[Program]:
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(place.home / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(place.home / "haproxy.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(place.home),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(place.home / "haproxy-state"),
    }
    return [place.program("server", "ray", place.port, place.cores, place.home, environment=settings)]


def _rq(kind: str) -> Callable[[Place], list[Program]]:
    def programs(place: Place) -> list[Program]:
        valkey = valkey_server(place.home)
        workers = [place.program(f"worker-{number}", "rq_worker", valkey.url, kind) for number in range(place.cores)]
        return [valkey.program, *workers, place.program("front", "rq_front", place.port, valkey.url, place.cores)]

    return programs


_QUEUED = "what is queued, while Redis lives"
PEERS: tuple[Peer, ...] = (
    Peer(
        "threads",
        "FastAPI, one uvicorn process, a thread for each core, pictures in them: the least that HTTP costs",
        NOTHING,
        _threads,
    ),
    Peer(
        "inline",
        "FastAPI, a uvicorn process for each core, pictures in the event loop; no thread, nothing handed over",
        NOTHING,
        _inline,
    ),
    Peer(
        "pool",
        "FastAPI, one uvicorn process, a ProcessPoolExecutor with a process for each core; a request is one task",
        NOTHING,
        _pool,
    ),
    Peer(
        "litserve",
        "workers_per_device = cores and fast_queue, as its docs say for CPUs and above 100 requests a second; as many API "
        "processes, its default; no batching, which saves nothing where pictures are computed one by one; JPEG as raw body",
        NOTHING,
        _litserve,
        ("litserve==0.2.19",),
        ("litserve", "fastapi", "uvicorn", "pyzmq"),
        "/health",
    ),
    Peer(
        "ray",
        "Ray Serve, a replica of one CPU for each core, RAY_SERVE_THROUGHPUT_OPTIMIZED=1 and RAY_SERVE_ENABLE_HA_PROXY=1, "
        "as its docs say for high throughput; no dashboard, no access log, no @serve.batch, for the same reason",
        NOTHING,
        _ray,
        ("ray[serve]==2.60.0",),
        ("ray",),
    ),
    Peer(
        "rq",
        "FastAPI, one RQ job for each picture, a SimpleWorker for each core, as RQ's docs say for jobs of a few "
        "milliseconds; results awaited in RQ's result streams; Valkey, which keeps nothing on the disk",
        _QUEUED,
        _rq("simple"),
        ("rq==3.0.0",),
        ("rq", "redis", "fastapi", "uvicorn"),
    ),
    Peer(
        "rq-fork",
        "the same with RQ's default Worker, a process for each job, kernels loaded before the fork",
        _QUEUED,
        _rq("fork"),
        ("rq==3.0.0",),
        ("rq", "redis", "fastapi", "uvicorn"),
    ),
)
OURS = Peer(
    "ours",
    "as `augment up` starts it: API, worker, reconciler, embedded PostgreSQL with synchronous commits, Valkey; store: a "
    "local folder without fsync",
    "all that was accepted",
    lambda _: (),
    packages=("fastapi", "uvicorn", "rq", "psycopg", "sqlalchemy"),
)
EVERY: Mapping[str, Peer] = {peer.name: peer for peer in (OURS, *PEERS)}
OWN_PYTHON = Path(sys.executable)
