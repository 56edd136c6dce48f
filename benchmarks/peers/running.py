"""A peer that runs: started from nothing, asked until it answers, its CPU time, and stopped with all its processes."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.measured_system import measured_system
from benchmarks.peers.peer import OURS, Peer, Place
from benchmarks.processes import cpu_by_process, pids_below
from benchmarks.service.load import Connection
from kernels.cpu.machine import users_cache
from service.system.processes import Child, tail

_START_S = 240.0
_SETTLE_S = 30.0
_IDLE = 0.4
"""Cores that a service uses at most when all its processes are up; polling of queues is below it."""


class DidNotStart(Exception):
    """A peer did not come up; the message holds the end of its log."""


@dataclass(frozen=True)
class Running:
    """A peer that answers."""

    url: str
    pids: Mapping[str, int]
    """Of its programs, by name; all other processes are below them. Of a single one, kinds of process are told apart."""

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far of all its processes, by program."""
        if len(self.pids) == 1:
            return cpu_by_process(*self.pids.values())
        return {name: sum(cpu_by_process(pid).values()) for name, pid in self.pids.items()}


@contextmanager
def running(peer: Peer, python: Path, home: Path) -> Iterator[Running]:
    """Starts it in the folder `home`, which may be used again, and stops it. Errors: DidNotStart, CannotStart."""
    home.mkdir(parents=True, exist_ok=True)
    if peer is OURS:
        # compiled kernels are read from where all peers read them
        kernels = {"NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR") or str(users_cache())}
        with measured_system(home, {"AUGMENT_LOG_LEVEL": "warning", **kernels}) as system:
            service = Running(system.url, {"system": system.pid})
            _settle(service)
            yield service
        return
    place = Place(python, home, _free_port(), len(os.sched_getaffinity(0)))
    with ExitStack() as ends:
        children = []
        for program in peer.programs(place):
            child = Child(program)
            ends.callback(_stop, child)
            children.append(child)
        url = f"http://127.0.0.1:{place.port}"
        _wait(url + peer.ready, children)
        service = Running(url, {child.program.name: child.pid for child in children})
        _settle(service)
        yield service


def _settle(peer: Running) -> None:
    """Waits until the processes that are not up when the first one answers are."""
    until_s, before_s = time.monotonic() + _SETTLE_S, sum(peer.cpu_s().values())
    while time.monotonic() < until_s:
        time.sleep(0.5)
        now_s = sum(peer.cpu_s().values())
        if now_s - before_s < 0.5 * _IDLE:
            return
        before_s = now_s


def _wait(url: str, children: list[Child]) -> None:
    until_s = time.monotonic() + _START_S
    while not _answers(url):
        ended = next((child for child in children if child.exit_status() is not None), None)
        if ended or time.monotonic() > until_s:
            why = f"{ended.program.name} ended" if ended else f"no answer within {_START_S:g} s"
            lines = tail((ended or children[-1]).program.log, lines=1)
            raise DidNotStart(f"{why}: {lines}" if lines else why)
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with Connection(url) as connection:
            return connection.ask("GET", urlsplit(url).path).status == 200
    except OSError:
        return False


def _stop(child: Child) -> None:
    """Stops a program, and whatever of its processes it leaves behind."""
    left = pids_below(child.pid)
    child.stop()
    for pid in left - {child.pid}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
