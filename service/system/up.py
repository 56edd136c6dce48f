"""`augment up`: the whole system on one machine until it is stopped, on embedded servers where none are named."""

from __future__ import annotations

import http.client
import ipaddress
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer

from service.settings import Settings
from service.system.cannot_start import CannotStart
from service.system.embedded import create_database, exclusive, postgres_server, remove_socket_folder, valkey_server
from service.system.programs import (
    Doors,
    api_program,
    listen,
    reconciler_program,
    sandbox_program,
    worker_programs,
)
from service.system.supervisor import Say, Signals, StopRequested, Supervisor, signals_held
from service.truth.migrations import migrate

_HOPELESS = 3
"""A program that ends this often in a row before the system was ever ready will not get better."""


class StartFailed(CannotStart):
    """A part of the system does not come up; the message holds the end of its log."""


def complain(line: str) -> None:
    """Says something to the person who started us."""
    typer.echo(line, err=True)


def up(settings: Settings, say: Say = complain) -> None:
    """Runs until SIGINT or SIGTERM has come and all that it started has ended.

    Errors, when nothing runs any more: EmbeddedError, AddressInUse, StartFailed, MigrationFailed.
    """
    settings = settings.model_copy(update={"data": settings.data.resolve()})
    with ExitStack() as ends:
        listener = ends.enter_context(listen(settings.host, settings.port))
        settings = settings.model_copy(update={"port": int(listener.getsockname()[1])})
        ends.enter_context(exclusive(settings.data))
        signals = ends.enter_context(signals_held())
        if not (settings.database_url and settings.redis_url):
            ends.callback(remove_socket_folder, settings.data)
        supervisor = Supervisor(signals, say)
        ends.callback(supervisor.stop)  # runs before what was entered above it
        try:
            settings = _servers(settings, supervisor, signals)
            migrate(settings.database_url)
            logs = settings.data / "logs"
            supervisor.keep([reconciler_program(settings, logs / "reconciler.log")])
            _keep_workers(settings, supervisor, ends, logs)
            # last to start and first to stop: nothing new is accepted while the others finish what they have
            supervisor.keep([api_program(settings, listener.fileno(), logs / "api.log")])
            supervisor.watch(until=lambda: _ready(settings, supervisor))
            typer.echo(_ready_text(settings))
            supervisor.watch()
        except StopRequested:
            listener.close()
            say("stopping; a second Ctrl-C does not wait for the work in hand")
    say("stopped")


def keep_workers(settings: Settings, say: Say = complain) -> None:
    """`augment worker`: worker processes, kept running until SIGINT or SIGTERM has come and they have ended."""
    with signals_held() as signals, ExitStack() as ends:
        supervisor = Supervisor(signals, say)
        try:
            _keep_workers(settings, supervisor, ends)
            supervisor.watch()
        except StopRequested:
            say("stopping")
        finally:
            supervisor.stop()


def _keep_workers(settings: Settings, supervisor: Supervisor, ends: ExitStack, logs: Path | None = None) -> None:
    """Keeps workers running, and the sandbox that they share: where all is decoded there, one would be too few for them."""
    doors = None
    if settings.sandbox == "suspects" and settings.workers:
        doors = Doors.made()
        ends.callback(doors.close)
        supervisor.keep([sandbox_program(settings, doors, None if logs is None else logs / "sandbox.log")])
    supervisor.keep(worker_programs(settings, logs, doors))


def _servers(settings: Settings, supervisor: Supervisor, signals: Signals) -> Settings:
    """Starts the servers that the settings do not name; the settings with their addresses."""
    found: dict[str, str] = {}
    if not settings.database_url:
        server = postgres_server(settings.data)
        supervisor.keep_running(server.start())
        create_database(server.url)
        found["database_url"] = server.url
    if not settings.redis_url:
        server = valkey_server(settings.data)
        supervisor.keep_running(server.start())
        found["redis_url"] = server.url
    if signals.stop_requested():
        raise StopRequested
    return settings.model_copy(update=found)


def _ready(settings: Settings, supervisor: Supervisor) -> bool:
    """Whether the API is ready and all workers have reported. Errors: StartFailed."""
    for name, count in supervisor.failures.items():
        if count >= _HOPELESS:
            raise StartFailed(f"{name} does not start; its log ends with:\n{supervisor.log_end(name)}")
    report = _ask(settings, "/readyz?workers=1" if settings.workers else "/readyz")
    return report is not None and (not settings.workers or len(report.get("workers", ())) >= settings.workers)


def _ask(settings: Settings, path: str) -> dict[str, Any] | None:
    """The API's answer to a GET, where it is a success."""
    connection = http.client.HTTPConnection(_own_address(settings.host), settings.port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _own_address(host: str) -> str:
    """Where we reach what listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def _ready_text(settings: Settings) -> str:
    host = _own_address(settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    report = _ask(settings, "/readyz?workers=1") or {}
    devices = sorted({str(worker.get("device", "?")) for worker in report.get("workers", ())})
    key = "" if settings.api_key is None else ' \\\n         -H "Authorization: Bearer $AUGMENT_API_KEY"'
    return f"""
augment is ready

  API       {url}   (its pages: {url}/docs)
  data      {settings.data}   (logs: {settings.data / "logs"})
  device    {", ".join(devices) or "none"}
  workers   {settings.workers}

  Try it, with a picture of yours:
    curl {url}/v1/augment -H 'Prefer: wait=10'{key} \\
         -F 'request={{"recipe": {{"steps": [{{"op": "rotate", "degrees": 20}}, {{"op": "hflip"}}]}}}}' \\
         -F image=@picture.jpg --output augmented.jpg

Ctrl-C stops it."""
