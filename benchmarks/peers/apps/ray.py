"""Ray Serve.  Takes a port, a number of replicas, and a folder with a short path for Ray's sockets."""

from __future__ import annotations

import signal
import sys

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.apps.work import answered, prepare


class Augment:
    """One request is one call."""

    def __init__(self) -> None:
        prepare()

    async def __call__(self, request: Request) -> Response:
        if request.method == "GET":
            return Response("ready")
        return Response(answered(await request.body()), media_type="application/octet-stream")


def main(port: int, replicas: int, folder: str) -> None:
    """Serves until it is told to stop."""
    ray.init(num_cpus=replicas, include_dashboard=False, _temp_dir=folder, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    options = {
        "num_replicas": replicas,
        "ray_actor_options": {"num_cpus": 1},
        "logging_config": {"enable_access_log": False},
    }
    serve.run(serve.deployment(**options)(Augment).bind())
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
