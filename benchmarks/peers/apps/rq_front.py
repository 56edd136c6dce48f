"""RQ behind FastAPI: one job for each picture, waited for by RQ's own result streams.

Takes a port, Redis's address and the number of workers that are awaited."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import Body, FastAPI, Response
from redis import Redis
from rq import Queue, Worker

from benchmarks.peers.frames import pack, unpack

_WAIT_S = 60
_WORK = "benchmarks.peers.apps.work.augmented_file"


def main(port: int, redis_url: str, workers: int) -> None:
    """Serves until it is told to stop."""
    uvicorn.run(
        _app(Queue(connection=Redis.from_url(redis_url, socket_timeout=2 * _WAIT_S)), workers),
        port=port,
        log_level="warning",
        access_log=False,
    )


def _app(queue: Queue, workers: int) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    def ready() -> Response:
        return Response(status_code=200 if Worker.count(queue.connection) >= workers else 503)

    @app.post("/augment")
    def augment(body: bytes = Body(media_type="application/octet-stream")) -> Response:
        # without a description RQ would write the picture out as one
        wanted = [Queue.prepare_data(_WORK, (content,), description="augment") for content in unpack(body)]
        ends = [job.latest_result(timeout=_WAIT_S) for job in queue.enqueue_many(wanted)]
        results = [end.return_value for end in ends if end and end.return_value is not None]
        if len(results) < len(ends):
            return Response(status_code=500)
        return Response(pack(results), media_type="application/octet-stream")

    return app


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
