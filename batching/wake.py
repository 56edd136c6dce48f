"""RQ jobs that wake workers. A job carries no work: it says "there is some, serve until there is none"."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import redis
import redis.asyncio as aredis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

log = logging.getLogger(__name__)

JOB_TIMEOUT_S = 3600
"""Longest life of one job; its time slice is far shorter."""
JOB_TTL_S = 60
"""A job that no worker has begun by then is forgotten: its worker is gone, and others were woken."""
SERVE = "batching.worker.serve"

Enqueue = Callable[[Sequence[str]], None]
"""Enqueues one job for each worker named; blocking, so it is called in a thread."""

_ADDRESS = (
    "host",
    "port",
    "path",
    "db",
    "username",
    "password",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
)
_CONNECTIONS: dict[type[Any], type[Any]] = {
    aredis.Connection: redis.Connection,
    aredis.SSLConnection: redis.SSLConnection,
    aredis.UnixDomainSocketConnection: redis.UnixDomainSocketConnection,
}


def queue_of(worker: str, client: redis.Redis) -> Queue:
    """The queue that only `worker` serves. JSON, because whoever writes pickles to Redis runs code in the worker."""
    return Queue(f"serve:{worker}", connection=client, serializer=JSONSerializer)


def enqueue_serve(client: redis.Redis, worker: str) -> None:
    """Adds one job that wakes `worker`."""
    queue_of(worker, client).enqueue(
        SERVE, worker, job_timeout=JOB_TIMEOUT_S, ttl=JOB_TTL_S, result_ttl=0, failure_ttl=JOB_TTL_S, description="serve"
    )


def enqueuer(client: aredis.Redis) -> Enqueue:
    """Enqueues jobs on the same server as an asynchronous client, over a connection of its own."""
    settings = client.connection_pool.connection_kwargs
    pool = redis.ConnectionPool(
        connection_class=_CONNECTIONS[client.connection_pool.connection_class],
        socket_timeout=2,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 1),
        **{name: settings[name] for name in _ADDRESS if settings.get(name) is not None},
    )
    blocking = redis.Redis(connection_pool=pool)

    def enqueue(workers: Sequence[str]) -> None:
        for worker in workers:
            try:
                enqueue_serve(blocking, worker)
            except redis.RedisError as error:
                # Its flag says that a job is outstanding; gone, the next put or the reconciler wakes the worker.
                log.warning("could not wake worker %s: %s", worker, error)
                blocking.delete(f"job:{worker}")
                raise

    return enqueue


def forget_queue(client: redis.Redis, worker: str) -> None:
    """Removes what RQ remembers of a worker that is gone."""
    queue_of(worker, client).delete(delete_jobs=True)
    client.delete(f"rq:workers:serve:{worker}", f"rq:worker:{worker}")
    client.srem("rq:workers", f"rq:worker:{worker}")


def forgetter(url: str) -> Callable[[str], None]:
    """`forget_queue` over a blocking client of its own."""
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)

    def forget(worker: str) -> None:
        forget_queue(client, worker)

    return forget


def blocking_client(url: str) -> redis.Redis:
    """A client for RQ's worker, whose socket waits longer than RQ does and which leaves retrying to its caller."""
    return redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0))
