"""One API process: the app under uvicorn, on its own address or on an inherited listening socket."""

from __future__ import annotations

import gc
import socket
import sys

import uvicorn

from batching.threads import switch_often
from service.app import create_app
from service.settings import Settings
from service.system.bounded_http import bounded_http
from service.telemetry import configure_logging

_DRAIN_S = 5


def serve(settings: Settings, listener: int | None = None) -> None:
    """Serves until SIGINT or SIGTERM; open streams are cut 5 s after."""
    configure_logging(settings.log_format, settings.log_level)
    switch_often()
    config = uvicorn.Config(
        create_app(settings),
        http=bounded_http(settings.body_timeout_s),
        ws="none",  # there are none, and what speaks them writes headers, keys too, to the log
        host=settings.host,
        port=settings.port,
        log_config=None,  # our own log lines go through structlog
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_S,
        timeout_keep_alive=30,
        backlog=2048,
    )
    config.load()  # brings in everything there is
    gc.collect()
    gc.freeze()  # hundreds of thousands of objects that live as long as the process need not be looked through again
    server = uvicorn.Server(config)
    # not uvicorn's own `fd`: it takes the socket for one of Unix, and leaves Nagle's algorithm on, at 40 ms an answer
    server.run(None if listener is None else [socket.socket(fileno=listener)])
    if not server.started:
        sys.exit(1)
