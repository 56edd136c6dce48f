"""A whole system of one's own for a while: what the demo and the benchmarks run against, as `augment up` starts it."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.system.cannot_start import CannotStart
from service.system.processes import Child, Program, tail, wait_until

_READY_S = 180.0
_ADDRESS = re.compile(r"API\s+(http://\S+)")


class SystemFailed(CannotStart):
    """The system did not come up; the message holds the end of its log."""


@dataclass(frozen=True)
class OwnSystem:
    """A running system."""

    url: str
    pid: int
    """Of the process whose children are all the others."""


@contextmanager
def own_system(home: Path, environment: Mapping[str, str] | None = None) -> Iterator[OwnSystem]:
    """Starts everything in `home`, on a free port and embedded servers, and stops it at the end, whatever happens.

    environment: settings that are not those of our own environment. Errors: SystemFailed.
    """
    home.mkdir(parents=True, exist_ok=True)
    log = home / "system.log"
    log.unlink(missing_ok=True)
    own_servers = {"DATABASE_URL": "", "REDIS_URL": "", "AUGMENT_STORE_URL": ""}
    command = (sys.executable, "-m", "service", "up", "--port", "0", "--data", str(home / "system"))
    program = Program(
        "up", command, log, {**own_servers, **(environment or {})}, signal.SIGINT, signal.SIGTERM, grace_s=60.0
    )
    up = Child(program)
    try:
        if not wait_until(lambda: _address(log) is not None, up, _READY_S, pause_s=0.1):
            raise SystemFailed(f"the system did not come up; {log} ends with:\n{tail(log)}")
        yield OwnSystem(_address(log) or "", up.pid)
    finally:
        up.stop()


def _address(log: Path) -> str | None:
    found = _ADDRESS.search(log.read_text())
    return found[1] if found else None
